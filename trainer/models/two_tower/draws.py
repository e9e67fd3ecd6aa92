"""What a step of the two towers draws at random, beside its batch."""

from __future__ import annotations

import enum

import tensorflow as tf

from trainer.config.two_tower import SoftmaxConfig
from trainer.models.two_tower import cross_replica


class Purpose(enum.IntEnum):
    """Tell the draws of one step apart."""

    UNIFORM = 0
    VIEWED = 1
    MASKS = 2


class Draws:
    """Seed the stateless draws of a training's steps.

    Args:
      seed: of the training.
      num_items: catalog size C.
      softmax: how many UNIFORM items a step draws; replicas that share their
        candidates draw the same ones, else they draw apart.
    """

    def __init__(self, seed: int, num_items: int, softmax: SoftmaxConfig) -> None:
        self._seed = seed
        self._num_items = num_items
        self._shared_uniform = softmax.cross_replica_negatives
        self._uniform_negatives = softmax.uniform_negatives

    def seed(self, step: tf.Tensor, purpose: Purpose) -> tf.Tensor:
        """Derive the seed of one draw of one step.

        Args:
          step: int64 scalar.
          purpose: of the draw.

        Returns:
          int64 [2].
        """
        shared = purpose == Purpose.UNIFORM and self._shared_uniform
        replica = tf.zeros([], tf.int64) if shared else cross_replica.number()
        # XLA reads the lower 32 bits of each number.
        return tf.stack([self._seed + replica * 2**16, len(Purpose) * step + purpose])

    def items(self, count: tf.Tensor | int, step: tf.Tensor, purpose: Purpose) -> tf.Tensor:
        """Draw items uniformly from the catalog.

        Args:
          count: how many.
          step: int64 scalar.
          purpose: of the draw.

        Returns:
          int32 [count], positions in the catalog, repeats allowed.
        """
        seed = self.seed(step, purpose)
        return tf.random.stateless_uniform([count], seed, 0, self._num_items, tf.int32)

    def with_uniform(self, positions: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Put the uniform negatives of a step behind its positives.

        Args:
          positions: int32 [B], the positives' in the catalog.
          step: int64 scalar.

        Returns:
          int32 [B + n].
        """
        if not self._uniform_negatives:
            return positions
        extra = self.items(self._uniform_negatives, step, Purpose.UNIFORM)
        return tf.concat([positions, extra], axis=0)
