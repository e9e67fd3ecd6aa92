"""This process among those that train together, as the back end's TF_CONFIG tells it.

Without TF_CONFIG a process trains alone.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from schema.errors import UserError

CHIEF, WORKER, PARAMETER_SERVER = "chief", "worker", "ps"


@dataclasses.dataclass(frozen=True)
class ClusterTask:
    """Describe one process's part in a training.

    Attributes:
      jobs: addresses of the processes by kind; empty when there is only this one.
      kind: CHIEF, WORKER or PARAMETER_SERVER; "" when alone.
      index: among those of the kind.
    """

    jobs: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    kind: str = ""
    index: int = 0

    @property
    def processes(self) -> int:
        """Count the processes of the training, parameter servers included."""
        return max(sum(map(len, self.jobs.values())), 1)

    @property
    def writes(self) -> bool:
        """Tell whether this process writes the model, states and logs for all of them.

        The first worker does so where no chief is named.
        """
        if CHIEF in self.jobs:
            return self.kind == CHIEF
        return self.index == 0


def read_cluster_task() -> ClusterTask:
    """Read TF_CONFIG, by TensorFlow's own resolver.

    Returns:
      The task; that of a process alone when the variable is not set.

    Raises:
      UserError: it is no cluster, or not one that this process is in.
    """
    try:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        jobs = {
            name: list(addresses) for name, addresses in resolver.cluster_spec().as_dict().items()
        }
        kind, index = resolver.task_type, resolver.task_id
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f'TF_CONFIG: expected JSON such as {{"cluster": {{"worker": ["host:port"]}}, '
            f'"task": {{"type": "worker", "index": 0}}}}, got text that is none ({error}).'
        ) from None
    if not jobs:
        return ClusterTask()
    known = {CHIEF, WORKER, PARAMETER_SERVER}
    task = ClusterTask(jobs, kind or "", int(index or 0))
    if not set(jobs) <= known or task.kind not in jobs or task.index >= len(jobs[task.kind]):
        there = ", ".join(f"{name} ({len(addresses)})" for name, addresses in jobs.items())
        raise UserError(
            f"TF_CONFIG: expected a task within jobs named {', '.join(sorted(known))}, got the "
            f"task {kind} {index} and the jobs {there}."
        )
    return task
