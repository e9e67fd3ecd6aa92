"""How likely items are to be in a batch, for the logQ correction.

Called by trainer.models.two_tower.
"""

from __future__ import annotations

import tensorflow as tf


class StreamingFrequency(tf.keras.layers.Layer):
    """Estimates sampling probabilities from the steps between two occurrences.

    Yi et al. 2019, algorithm 2: arrays A (step of the last occurrence) and B
    (mean gap) over H buckets; an item of the batch at step t sets
    B[h] = (1 - rate) B[h] + rate (t - A[h]), then A[h] = t. An item is in a
    batch with probability 1 / B[h]. The first gap is taken whole: with a rate
    of a few percent an arbitrary start of B would last for all of a training.

    Args:
      rate: weight of the newest gap.
      buckets: H; items are hashed by position modulo H.
    """

    def __init__(self, rate: float, buckets: int) -> None:
        super().__init__(name="streaming_frequency")
        self._rate = rate
        self._buckets = buckets
        self._last = self._state("last_step")
        self._gap = self._state("mean_gap")

    def _state(self, name: str) -> tf.Variable:
        # Each replica follows its own batches, without waiting for the others.
        return self.add_weight(
            name=name,
            shape=(self._buckets,),
            initializer="zeros",
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def update(self, positions: tf.Tensor, step: tf.Tensor) -> None:
        """Takes note of a batch.

        Args:
          positions: int32 [B] catalog positions, repeats allowed.
          step: int64 scalar, from 1.
        """
        bucket = positions % self._buckets
        now = tf.cast(step, tf.float32)
        mean, newest = tf.gather(self._gap, bucket), now - tf.gather(self._last, bucket)
        updated = tf.where(mean > 0, (1 - self._rate) * mean + self._rate * newest, newest)
        rows = bucket[:, None]
        self._gap.assign(tf.tensor_scatter_nd_update(self._gap, rows, updated))
        self._last.assign(
            tf.tensor_scatter_nd_update(self._last, rows, tf.fill(tf.shape(bucket), now))
        )

    def probability(self, positions: tf.Tensor) -> tf.Tensor:
        """The chance that a batch holds an item.

        Args:
          positions: int32 [K] catalog positions.

        Returns:
          float32 [K]; 0 for an item that has not been seen yet.
        """
        return tf.math.divide_no_nan(1.0, tf.gather(self._gap, positions % self._buckets))
