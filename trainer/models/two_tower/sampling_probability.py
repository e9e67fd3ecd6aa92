"""How likely items are to be in a batch, for the logQ correction."""

from __future__ import annotations

import abc
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from trainer.config.two_tower import SoftmaxConfig


class SamplingProbability(tf.keras.layers.Layer):
    """Give the chance that a draw of an in-batch softmax's candidate gives an item.

    Args:
      settings: says where it comes from.
      shares: float32 [C], each item's share of the training interactions.
    """

    def __init__(self, settings: SoftmaxConfig, shares: np.ndarray) -> None:
        super().__init__(name="sampling_probability")
        self._uniform_negatives = settings.uniform_negatives
        self._num_items = len(shares)
        self._estimator = ESTIMATORS[settings.logq](settings, shares)

    def update(self, positions: tf.Tensor, step: tf.Tensor) -> None:
        """Take note of a batch, where the estimate follows batches.

        Args:
          positions: int32 [B] catalog positions, repeats allowed.
          step: int64 scalar, from 1.
        """
        if self._estimator is not None:
            self._estimator.update(positions, step)

    def in_step(
        self, ids: tf.Tensor, candidates: tf.Tensor, step: tf.Tensor, training: bool
    ) -> tf.Tensor | None:
        """Take note of a step's candidates while training, and estimate as `of` does.

        Args:
          ids: int32 [K] catalog positions, of the items that are asked for.
          candidates: int32 [B + n], the batch's, and behind them the n uniform negatives.
          step: int64 scalar, from 1.
          training: whether to take note.

        Returns:
          float32 [K], or None without logQ correction.
        """
        size = tf.size(candidates) - self._uniform_negatives
        if training:
            self.update(candidates[:size], step)
        return self.of(ids, tf.cast(size, tf.float32))

    def of(self, candidates: tf.Tensor, batch: tf.Tensor) -> tf.Tensor | None:
        """Estimate the probabilities of some items.

        With n uniform negatives beside B items of the batch it is
        (B p + n / C) / (B + n), Yang et al. 2020, "Mixed Negative Sampling for
        Learning Two-tower Neural Networks in Recommendations".

        Args:
          candidates: int32 [K] catalog positions.
          batch: float32 scalar, B.

        Returns:
          float32 [K], or None without logQ correction.
        """
        if self._estimator is None:
            return None
        probability = self._estimator.probability(candidates, batch)
        extra = self._uniform_negatives
        return (batch * probability + extra / self._num_items) / (batch + extra)


class Estimator(tf.keras.layers.Layer, abc.ABC):
    """Estimate how likely a draw from the training interactions gives an item."""

    def update(self, positions: tf.Tensor, step: tf.Tensor) -> None:
        """Take note of a batch; nothing unless overridden.

        Args:
          positions: int32 [B] catalog positions, repeats allowed.
          step: int64 scalar, from 1.
        """

    @abc.abstractmethod
    def probability(self, positions: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        """Estimate the probability that one row of a batch is an item's.

        Args:
          positions: int32 [K] catalog positions.
          batch: float32 scalar, rows of a batch.

        Returns:
          float32 [K].
        """


class TrainingShare(Estimator):
    """Take each item's share of the training interactions.

    Args:
      shares: float32 [C].
    """

    def __init__(self, shares: np.ndarray) -> None:
        super().__init__(name="training_share")
        self._shares = tf.constant(shares, tf.float32)

    def probability(self, positions: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        """See Estimator."""
        return tf.gather(self._shares, positions)


class StreamingFrequency(Estimator):
    """Estimate sampling probabilities from the steps between two occurrences.

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
        """See Estimator."""
        bucket = positions % self._buckets
        now = tf.cast(step, tf.float32)
        mean, newest = tf.gather(self._gap, bucket), now - tf.gather(self._last, bucket)
        updated = tf.where(mean > 0, (1 - self._rate) * mean + self._rate * newest, newest)
        rows = bucket[:, None]
        self._gap.assign(tf.tensor_scatter_nd_update(self._gap, rows, updated))
        self._last.assign(
            tf.tensor_scatter_nd_update(self._last, rows, tf.fill(tf.shape(bucket), now))
        )

    def probability(self, positions: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        """See Estimator; 0 for an item that has not been seen yet."""
        held = tf.math.divide_no_nan(1.0, tf.gather(self._gap, positions % self._buckets))
        return held / batch


# By the names of SoftmaxConfig.logq.
ESTIMATORS: dict[str, Callable[[SoftmaxConfig, np.ndarray], Estimator | None]] = {
    "none": lambda settings, shares: None,
    "frequency": lambda settings, shares: TrainingShare(shares),
    "streaming": lambda settings, shares: StreamingFrequency(
        settings.streaming_rate, settings.streaming_buckets
    ),
}
