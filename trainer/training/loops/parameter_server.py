"""Training with parameter servers: workers take steps of their own.

The chief hands out steps and keeps the books; the variables lie on the
parameter servers, and a worker's gradients are applied to them as they are by
then. A worker that dies is replaced by another one's work, or by itself when it
is back; so is a step that it was at.
"""

from __future__ import annotations

import time

import numpy as np
import tensorflow as tf

from trainer.data.batches import STEP, TrainingData
from trainer.training.loops.base import Epoch
from trainer.training.loops.gradient import CALLS_PER_EPOCH, GradientLoop
from trainer.training.progress import Progress


class ParameterServerLoop(GradientLoop):
    """Run a GradientLoop's steps on the workers of a parameter server strategy.

    The steps of an epoch are those of GradientLoop, with the same positives and
    negatives, but several are under way at a time. Each worker gets a copy of
    the data's tensors. Arguments are those of GradientLoop; the distribution has a
    ParameterServerStrategy.
    """

    # Settings refuse this strategy for models that learn from whole histories.
    _data: TrainingData

    def _prepare(self) -> None:
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(self._strategy)
        copies = self._coordinator.create_per_worker_dataset(
            lambda: tf.data.Dataset.from_tensors(self._data.tensors).repeat()
        )
        self._copies = iter(copies)
        # A step reads variables of other machines, which XLA cannot.
        self.sparse = True
        self._differentiate = self._loss_and_gradients
        self._apply = self._apply_gradients
        self._replica_step = self._step
        self._run = tf.function(self._worker_steps, reduce_retracing=True)

    def _epoch(self, number: int, progress: Progress) -> Epoch:
        started = time.perf_counter()
        order = self._data.order(number, self._batch_size)
        base = tf.constant(self._data.draw_seed(number), tf.int64)
        chunks = np.array_split(np.arange(len(order)), min(CALLS_PER_EPOCH, len(order)))
        before = tf.constant((number - 1) * len(order), tf.int64)
        pending = [
            self._coordinator.schedule(
                self._run,
                args=(self._copies, tf.constant(order[chunk]), tf.constant(chunk[0]), before, base),
            )
            for chunk in chunks
        ]
        losses = []
        for chunk, result in zip(chunks, pending, strict=True):
            loss = float(result.fetch())
            self._check_loss(loss, number)
            losses.append(loss * len(chunk))
            progress.advance(number, (chunk[-1] + 1) / len(order), loss)
        return self._finished(number, sum(losses), started)

    def _worker_steps(
        self,
        copies: tf.data.Iterator,
        order: tf.Tensor,
        first: tf.Tensor,
        before: tf.Tensor,
        base: tf.Tensor,
    ) -> tf.Tensor:
        """Take some steps on one worker, and average their losses.

        Args:
          copies: gives the tensors of the data.
          order: int64 [steps, B], the positives of each step.
          first: number of the first step in its epoch, from 0.
          before: steps of earlier epochs.
          base: first half of the seeds of the epoch's draws.

        Returns:
          float32 scalar.
        """
        tensors = next(copies)
        total = tf.constant(0.0)
        count = tf.shape(order)[0]
        for row in tf.range(count):
            step = first + tf.cast(row, tf.int64)
            chosen = tf.ensure_shape(order[row], [self._batch_size])
            batch = self._data.batch(chosen, tf.stack([base, step]), tensors=tensors)
            batch[STEP] = before + step + 1
            total += self._strategy.run(self._replica_step, args=(batch,))
        return total / tf.cast(count, tf.float32)
