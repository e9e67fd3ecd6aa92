"""The one training loop: whole runs of steps inside one graph call.

Every model trains here through its compute_loss. Called by trainer.run.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from schema.errors import UserError
from trainer.config import TrainerConfig
from trainer.input import TrainingData
from trainer.models.base import Recommender
from trainer.progress import Progress

# Graph calls an epoch: often enough for a moving progress bar and an early
# word on a diverging loss, rarely enough to cost nothing.
CALLS_PER_EPOCH = 20


@dataclasses.dataclass(frozen=True)
class Epoch:
    """What one epoch did.

    Attributes:
      number: from 1.
      loss: mean training loss, regularization included.
      seconds: wall time of its training steps.
      examples: positives and sampled negatives that were trained on.
    """

    number: int
    loss: float
    seconds: float
    examples: int


class Fitter:
    """Trains one model epoch by epoch.

    Args:
      model: built inside the strategy's scope.
      config: batch size, learning rate and the like.
      data: the positives.
      strategy: where the replicas run.
    """

    def __init__(
        self,
        model: Recommender,
        config: TrainerConfig,
        data: TrainingData,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.model = model
        self._config = config
        self._data = data
        self._strategy = strategy
        replicas = strategy.num_replicas_in_sync
        fitting = max(data.size // replicas, 1) * replicas
        self._batch_size = min(config.batch_size, fitting)
        with strategy.scope():
            self.optimizer = tf.keras.optimizers.Adam(config.learning_rate)
            self.optimizer.build(model.trainable_variables)
        self._differentiate = tf.function(self._loss_and_gradients, jit_compile=config.jit_compile)
        self._run = tf.function(self._steps)

    def fit(
        self, epochs: int, after_epoch: Callable[[Epoch], bool], progress: Progress
    ) -> list[Epoch]:
        """Trains up to `epochs` epochs.

        Args:
          epochs: at the most.
          after_epoch: called with each finished epoch; True stops the training.
          progress: told of every graph call.

        Returns:
          The epochs that ran.

        Raises:
          UserError: the loss is no longer a finite number.
        """
        history = []
        for number in range(1, epochs + 1):
            history.append(self._epoch(number, progress))
            if after_epoch(history[-1]):
                break
        return history

    def _epoch(self, number: int, progress: Progress) -> Epoch:
        started = time.perf_counter()
        dataset = self._strategy.experimental_distribute_dataset(
            self._data.epoch(number, self._batch_size)
        )
        steps = -(-self._data.size // self._batch_size)
        iterator = iter(dataset)
        losses = []
        for chunk in np.array_split(np.arange(steps), min(CALLS_PER_EPOCH, steps)):
            loss = float(self._run(iterator, tf.constant(len(chunk))))
            if not np.isfinite(loss):
                raise UserError(
                    f"The training loss became {loss} in epoch {number}; expected a finite number: "
                    f"try a trainer.learning_rate below {self._config.learning_rate:g}."
                )
            losses.append(loss * len(chunk))
            progress.advance(number, (chunk[-1] + 1) / steps, loss)
        return Epoch(
            number=number,
            loss=sum(losses) / steps,
            seconds=time.perf_counter() - started,
            examples=self._data.examples,
        )

    def _steps(self, iterator: tf.data.Iterator, count: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0.0)
        for _ in tf.range(count):
            losses = self._strategy.run(self._step, args=(next(iterator),))
            total += self._strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
        return total / tf.cast(count, tf.float32)

    def _step(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """One replica's step; gradients are summed over replicas, hence the division."""
        variables = self.model.trainable_variables
        loss, gradients = self._differentiate(batch)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    def _loss_and_gradients(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = self.model.compute_loss(batch, training=True)
            loss = tf.add_n([loss, *self.model.losses]) / self._strategy.num_replicas_in_sync
        gradients = tape.gradient(loss, self.model.trainable_variables)
        # Adam is faster on dense gradients while the tables are no larger than
        # what a batch touches.
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]
