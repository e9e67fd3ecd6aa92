"""A process that takes no decisions: a parameter server, or a worker of one.

The chief sends it variables and steps; it ends with the chief.
"""

from __future__ import annotations

import socket
import time

import tensorflow as tf

from trainer.distribution.cluster_task import CHIEF, ClusterTask

_SECONDS_BETWEEN_LOOKS = 1.0
# Looks without an answer after which a chief that was there is taken for dead.
_PATIENCE = 30
# The same before it was there: machines of a job start minutes apart.
_PATIENCE_AT_FIRST = 1800


def serve(task: ClusterTask, model: str) -> None:
    """Serve until the training is over.

    Args:
      task: this process's part, as a worker or a parameter server.
      model: folder that the chief writes, whole or not at all, when it is done.

    Raises:
      RuntimeError: the chief never came, or was there and is gone, and wrote no
        model.
    """
    cluster = tf.train.ClusterSpec(task.jobs)
    server = tf.distribute.Server(cluster, job_name=task.kind, task_index=task.index)
    chief = task.jobs[CHIEF][0]
    seen, missed = False, 0
    while not tf.io.gfile.exists(model):
        answers = _answers(chief)
        seen, missed = seen or answers, 0 if answers else missed + 1
        if missed >= (_PATIENCE if seen else _PATIENCE_AT_FIRST):
            raise RuntimeError(
                f"The chief {chief} {'ended' if seen else 'never answered'}, without a model in "
                f"{model}; this {task.kind} {task.index} ends too (it listened at {server.target})."
            )
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_SECONDS_BETWEEN_LOOKS):
            return True
    except OSError:
        return False
