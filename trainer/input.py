"""Epochs of batches made of flat interaction arrays, and exact negatives.

Called by trainer.fit and the models. A batch is a dict of tensors made inside
tf.data, so that drawing negatives for the next step overlaps the present one.
An interaction takes 18 bytes while negatives are sampled.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from schema import features
from schema.errors import UserError
from trainer.histories import Histories

POSITIVE = "positive"
NEGATIVES = "negatives"


def user_tensors(user_index: tf.Tensor, context: tf.Tensor) -> dict[str, tf.Tensor]:
    """The users' side of a batch, by feature name.

    Args:
      user_index: int32 [B].
      context: int32 [B, 3].

    Returns:
      int32 [B] tensors, as Recommender.encode_users expects them.
    """
    columns = tf.unstack(context, axis=1)
    return {
        features.USER_INDEX: user_index,
        **dict(zip(features.USER_CONTEXT_INDICES, columns, strict=True)),
    }


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


class TrainingData:
    """The positives of one training and the batches made of them.

    Args:
      histories: the interactions to learn from.
      num_items: catalog size C.
      negatives: sampled negatives a positive; 0 draws none.
      seed: of shuffling and sampling.
      ratings: whether batches bring the positives' ratings.

    Raises:
      UserError: a user has consumed the whole catalog, so no negative exists.
    """

    def __init__(
        self,
        histories: Histories,
        num_items: int,
        negatives: int,
        seed: int,
        ratings: bool = False,
    ) -> None:
        rows = histories.rows[histories.trainable]
        self.size = len(rows)
        self.examples = self.size * (1 + negatives)
        self._seed = seed
        self._negatives = negatives
        self._rows = tf.constant(rows)
        self._positions = tf.constant(histories.positions[histories.trainable])
        self._user_index = tf.constant(histories.user_index)
        self._context = tf.constant(histories.context)
        self._ratings = tf.constant(histories.ratings[histories.trainable]) if ratings else None
        if negatives:
            full = int(np.sum(np.diff(histories.splits) >= num_items))
            if full:
                raise UserError(
                    f"{full} users have interacted with all {num_items} items of the catalog; "
                    f"expected at least one item left to sample as a negative."
                )
            self._sampler = NegativeSampler(histories, num_items)

    def epoch(self, epoch: int, batch_size: int) -> tf.data.Dataset:
        """Batches of one epoch, in an order of its own, with fresh negatives.

        The last batch is filled up from the epoch's beginning, so all batches
        have one shape.

        Args:
          epoch: number of the epoch; with the seed it fixes the order.
          batch_size: positives a batch.

        Returns:
          A dataset of dicts: the users' tensors int32 [B], POSITIVE int32 [B]
          and, with negatives, NEGATIVES int32 [B, n]; with ratings,
          schema.features.RATING float32 [B].
        """
        steps = -(-self.size // batch_size)
        order = np.random.default_rng([self._seed, epoch]).permutation(self.size)
        order = np.resize(order, steps * batch_size).reshape(steps, batch_size)
        numbered = tf.data.Dataset.from_tensor_slices(order).enumerate()
        base = np.random.default_rng([self._seed, epoch, 1]).integers(2**31)
        return numbered.map(
            lambda step, chosen: self._batch(chosen, tf.stack([tf.constant(base), step])),
            num_parallel_calls=1,
        ).prefetch(2)

    def _batch(self, chosen: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.gather(self._rows, chosen)
        batch = user_tensors(tf.gather(self._user_index, rows), tf.gather(self._context, rows))
        batch[POSITIVE] = tf.gather(self._positions, chosen)
        if self._ratings is not None:
            batch[features.RATING] = tf.gather(self._ratings, chosen)
        if self._negatives:
            negatives = self._sampler(rows, self._negatives, seed)
            batch[NEGATIVES] = tf.ensure_shape(negatives, [chosen.shape[0], self._negatives])
        return batch
