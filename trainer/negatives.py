"""Where sampled negatives come from; all draws are exact and stateless.

Called by trainer.input, inside tf.data, and by trainer.validation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from schema.errors import UserError
from trainer.histories import Histories

# Negatives int32 [B, count] of: histories' rows int32 [B], the positives' catalog
# positions int32 [B], count, and a seed int64 [2].
Draw = Callable[[tf.Tensor, tf.Tensor, int, tf.Tensor], tf.Tensor]


def make_draw(sampler: str, exponent: float, histories: Histories, num_items: int) -> Draw:
    """Makes the sampler that a training is configured with.

    Args:
      sampler: one of trainer.config.SAMPLERS.
      exponent: of the frequencies, for "popular".
      histories: what is trained on.
      num_items: catalog size C.

    Returns:
      The function that draws.

    Raises:
      UserError: some positive would have no negative.
    """
    if sampler == "unconsumed":
        full = int(np.sum(np.diff(histories.splits) >= num_items))
        if full:
            raise UserError(
                f"{full} users have interacted with all {num_items} items of the catalog; "
                f"expected at least one item left to sample as a negative."
            )
        unconsumed = NegativeSampler(histories, num_items)
        return lambda rows, positives, count, seed: unconsumed(rows, count, seed)
    if sampler == "random":
        weights = np.ones(num_items)
    else:
        counts = histories.counts(num_items)
        weights = np.where(counts > 0, counts.astype(np.float64) ** exponent, 0.0)
    weighted = WeightedSampler(weights)
    return lambda rows, positives, count, seed: weighted(positives, count, seed)


class NegativeSampler(tf.Module):
    """Draws items that a user has not interacted with, uniformly and exactly.

    The r-th unseen item is found by one binary search, so nothing is drawn
    twice: with a user's seen positions s_0 < s_1 < ..., the number of seen
    items below the r-th unseen one is j = #{i : s_i - i <= r}, and that item's
    position is r + j.

    Args:
      histories: the interactions to avoid.
      num_items: catalog size C.
    """

    def __init__(self, histories: Histories, num_items: int) -> None:
        super().__init__()
        rows = histories.rows.astype(np.int64)
        order = np.lexsort((histories.positions, rows))
        within = np.arange(len(rows)) - histories.splits[rows]
        gaps = histories.positions[order] - within
        self._stride = num_items + 1
        self._keys = tf.constant(rows * self._stride + gaps, tf.int64)
        self._splits = tf.constant(histories.splits, tf.int64)
        self._unseen = tf.constant(num_items - np.diff(histories.splits), tf.float32)

    def __call__(self, rows: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Draws `count` unseen items for each row.

        Args:
          rows: int32 [B], rows of the histories.
          count: negatives a row.
          seed: int64 [2], of the stateless draw.

        Returns:
          int32 [B, count] catalog positions.
        """
        uniform = tf.random.stateless_uniform([tf.size(rows), count], seed)
        unseen = tf.gather(self._unseen, rows)[:, None]
        rank = tf.cast(tf.minimum(tf.floor(uniform * unseen), unseen - 1.0), tf.int64)
        keys = tf.cast(rows, tf.int64)[:, None] * self._stride + rank
        below = tf.searchsorted(self._keys, tf.reshape(keys, [-1]), side="right", out_type=tf.int64)
        below = tf.reshape(below, [-1, count]) - tf.gather(self._splits, rows)[:, None]
        return tf.cast(rank + below, tf.int32)


class WeightedSampler(tf.Module):
    """Draws items other than the positive, in proportion to fixed weights.

    The inverse of the cumulative distribution is looked up by binary search. A
    positive's own interval is left out by drawing from what remains and moving
    what lies beyond it by its length.

    Args:
      weights: [C], 0 or more.

    Raises:
      UserError: fewer than two items have a weight.
    """

    def __init__(self, weights: np.ndarray) -> None:
        super().__init__()
        drawn = int(np.count_nonzero(weights))
        if drawn < 2:
            raise UserError(
                f"Only {drawn} of {len(weights)} items can be sampled as a negative; "
                f"expected at least two."
            )
        ends = np.cumsum(weights / weights.sum())
        self._starts = tf.constant(np.concatenate([[0.0], ends[:-1]]), tf.float64)
        self._ends = tf.constant(ends, tf.float64)
        self._last = int(np.flatnonzero(weights)[-1])

    def __call__(self, positives: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Draws `count` items for each positive.

        Args:
          positives: int32 [B] catalog positions.
          count: negatives a positive.
          seed: int64 [2], of the stateless draw.

        Returns:
          int32 [B, count] catalog positions.
        """
        start = tf.gather(self._starts, positives)[:, None]
        length = tf.gather(self._ends, positives)[:, None] - start
        shape = [tf.size(positives), count]
        uniform = tf.random.stateless_uniform(shape, seed, dtype=tf.float64)
        drawn = uniform * (self._ends[-1] - length)
        drawn = tf.where(drawn >= start, drawn + length, drawn)
        found = tf.searchsorted(self._ends, tf.reshape(drawn, [-1]), side="right")
        return tf.reshape(tf.minimum(found, self._last), shape)
