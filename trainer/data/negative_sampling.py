"""Where sampled negatives come from; all draws are exact and stateless."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from schema.errors import UserError
from trainer.config.trainer import UNCONSUMED
from trainer.data.interactions import Interactions

# What a sampler looks up, by name.
Tensors = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class BatchShard:
    """Say which rows of a batch are drawn for; parts drawn apart make up the whole.

    Attributes:
      start: the first one, int64 scalar.
      total: rows of the batch.
    """

    start: tf.Tensor
    total: int


class NegativeSampler(abc.ABC):
    """Draw the negatives of interactions.

    Attributes:
      tensors: what it looks up; a copy of it serves on another machine.
    """

    tensors: Tensors

    @abc.abstractmethod
    def __call__(
        self,
        rows: tf.Tensor,
        positives: tf.Tensor,
        count: int,
        seed: tf.Tensor,
        part: BatchShard | None = None,
        tensors: Tensors | None = None,
    ) -> tf.Tensor:
        """Draw `count` items for each interaction.

        Args:
          rows: int32 [B], rows of the histories.
          positives: int32 [B] catalog positions.
          count: negatives a positive.
          seed: int64 [2], of the stateless draw of a whole batch.
          part: where these rows stand in it; None for all of it.
          tensors: stand in for those of the sampler.

        Returns:
          int32 [B, count] catalog positions.
        """


def _uniform(
    size: tf.Tensor, count: int, seed: tf.Tensor, part: BatchShard | None, dtype: tf.DType
) -> tf.Tensor:
    """Draw [size, count] numbers in [0, 1): those that a draw of the whole batch has there.

    Drawing what the other parts use costs next to nothing beside the lookups.
    """
    total = size if part is None else part.total
    drawn = tf.random.stateless_uniform([total, count], seed, dtype=dtype)
    if part is None:
        return drawn
    return drawn[part.start : part.start + tf.cast(size, tf.int64)]


class UnseenSampler(NegativeSampler):
    """Draw items that a user has not interacted with, uniformly and exactly.

    The r-th unseen item is found by one binary search, so nothing is drawn
    twice: with a user's seen positions s_0 < s_1 < ..., the number of seen
    items below the r-th unseen one is j = #{i : s_i - i <= r}, and that item's
    position is r + j.

    Args:
      histories: the interactions to avoid.
      num_items: catalog size C.
    """

    def __init__(self, histories: Interactions, num_items: int) -> None:
        rows = histories.rows.astype(np.int64)
        order = np.lexsort((histories.positions, rows))
        within = np.arange(len(rows)) - histories.splits[rows]
        gaps = histories.positions[order] - within
        self._stride = num_items + 1
        self.tensors: Tensors = {
            "keys": tf.constant(rows * self._stride + gaps, tf.int64),
            "splits": tf.constant(histories.splits, tf.int64),
            "unseen": tf.constant(num_items - np.diff(histories.splits), tf.float32),
        }

    def __call__(
        self,
        rows: tf.Tensor,
        positives: tf.Tensor,
        count: int,
        seed: tf.Tensor,
        part: BatchShard | None = None,
        tensors: Tensors | None = None,
    ) -> tf.Tensor:
        """See NegativeSampler."""
        tensors = tensors or self.tensors
        uniform = _uniform(tf.size(rows), count, seed, part, tf.float32)
        unseen = tf.gather(tensors["unseen"], rows)[:, None]
        rank = tf.cast(tf.minimum(tf.floor(uniform * unseen), unseen - 1.0), tf.int64)
        keys = tf.cast(rows, tf.int64)[:, None] * self._stride + rank
        below = tf.searchsorted(
            tensors["keys"], tf.reshape(keys, [-1]), side="right", out_type=tf.int64
        )
        below = tf.reshape(below, [-1, count]) - tf.gather(tensors["splits"], rows)[:, None]
        return tf.cast(rank + below, tf.int32)


class WeightedSampler(NegativeSampler):
    """Draw items other than the positive, in proportion to fixed weights.

    The inverse of the cumulative distribution is looked up by binary search. A
    positive's own interval is left out by drawing from what remains and moving
    what lies beyond it by its length.

    Args:
      weights: [C], 0 or more.

    Raises:
      UserError: fewer than two items have a weight.
    """

    def __init__(self, weights: np.ndarray) -> None:
        drawn = int(np.count_nonzero(weights))
        if drawn < 2:
            raise UserError(
                f"Only {drawn} of {len(weights)} items can be sampled as a negative; "
                f"expected at least two."
            )
        ends = np.cumsum(weights / weights.sum())
        self.tensors: Tensors = {
            "starts": tf.constant(np.concatenate([[0.0], ends[:-1]]), tf.float64),
            "ends": tf.constant(ends, tf.float64),
        }
        self._last = int(np.flatnonzero(weights)[-1])

    def __call__(
        self,
        rows: tf.Tensor,
        positives: tf.Tensor,
        count: int,
        seed: tf.Tensor,
        part: BatchShard | None = None,
        tensors: Tensors | None = None,
    ) -> tf.Tensor:
        """See NegativeSampler."""
        tensors = tensors or self.tensors
        ends = tensors["ends"]
        start = tf.gather(tensors["starts"], positives)[:, None]
        length = tf.gather(ends, positives)[:, None] - start
        drawn = _uniform(tf.size(positives), count, seed, part, tf.float64) * (ends[-1] - length)
        drawn = tf.where(drawn >= start, drawn + length, drawn)
        found = tf.searchsorted(ends, tf.reshape(drawn, [-1]), side="right")
        return tf.reshape(tf.minimum(found, self._last), [tf.size(positives), count])


def unconsumed(histories: Interactions, num_items: int, exponent: float) -> NegativeSampler:
    """Sample uniformly from what the user has not interacted with.

    Args:
      histories: what is trained on.
      num_items: catalog size C.
      exponent: not read.

    Returns:
      The sampler.

    Raises:
      UserError: a user has interacted with all items.
    """
    full = int(np.sum(np.diff(histories.splits) >= num_items))
    if full:
        raise UserError(
            f"{full} users have interacted with all {num_items} items of the catalog; "
            f"expected at least one item left to sample as a negative."
        )
    return UnseenSampler(histories, num_items)


def random(histories: Interactions, num_items: int, exponent: float) -> NegativeSampler:
    """Sample uniformly from all items but the positive.

    Args:
      histories: not read.
      num_items: catalog size C.
      exponent: not read.

    Returns:
      The sampler.
    """
    return WeightedSampler(np.ones(num_items))


def popular(histories: Interactions, num_items: int, exponent: float) -> NegativeSampler:
    """Sample from all items but the positive by their training frequency.

    Args:
      histories: what is trained on.
      num_items: catalog size C.
      exponent: of the frequencies.

    Returns:
      The sampler.
    """
    counts = histories.counts(num_items)
    return WeightedSampler(np.where(counts > 0, counts.astype(np.float64) ** exponent, 0.0))


# By the names of trainer.config.trainer.SAMPLERS.
SAMPLERS: dict[str, Callable[[Interactions, int, float], NegativeSampler]] = {
    UNCONSUMED: unconsumed,
    "random": random,
    "popular": popular,
}
