"""Epochs of batches made of flat interaction arrays.

Called by trainer.fit and the models. A batch is a dict of tensors made inside
tf.data, so that drawing negatives for the next step overlaps the present one.
An interaction takes 18 bytes while negatives are sampled.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from schema import features
from trainer.config import UNCONSUMED
from trainer.histories import ABSENT, Histories
from trainer.negatives import Draw, make_draw

POSITIVE = "positive"
NEGATIVES = "negatives"
HISTORY = "history"


def user_tensors(
    user_index: tf.Tensor, context: tf.Tensor, history: tf.Tensor | None = None
) -> dict[str, tf.Tensor]:
    """The users' side of a batch, by feature name.

    Args:
      user_index: int32 [B].
      context: int32 [B, 4], columns as schema.features.USER_CONTEXT.
      history: int32 [B, L], as `newest` gives it, for models that read it.

    Returns:
      The tensors that Recommender.encode_users expects.
    """
    columns = tf.unstack(context, axis=1)
    users = {
        features.USER_INDEX: user_index,
        **dict(zip(features.USER_CONTEXT, columns, strict=True)),
    }
    return users if history is None else {**users, HISTORY: history}


def newest(histories: tf.RaggedTensor, limit: int) -> tf.Tensor:
    """The last items of histories, as models read them.

    Args:
      histories: ragged int32 [B, None], catalog positions in the order of time.
      limit: items a user, at the most.

    Returns:
      int32 [B, limit], filled up with ABSENT.
    """
    return histories[:, -limit:].to_tensor(ABSENT, shape=[None, limit])


class TrainingData:
    """The positives of one training and the batches made of them.

    Args:
      histories: the interactions to learn from.
      num_items: catalog size C.
      negatives: sampled negatives a positive; 0 draws none.
      seed: of shuffling and sampling.
      draw: draws the negatives; unconsumed items when left out.
      history_limit: newest items of each user's history that a batch brings; 0
        brings none.
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
        draw: Draw | None = None,
        history_limit: int = 0,
        ratings: bool = False,
    ) -> None:
        rows = histories.rows[histories.trainable]
        self.histories = histories
        self.size = len(rows)
        self.examples = self.size * (1 + negatives)
        self._seed = seed
        self._negatives = negatives
        self._rows = tf.constant(rows)
        self._positions = tf.constant(histories.positions[histories.trainable])
        self._user_index = tf.constant(histories.user_index)
        self._context = tf.constant(histories.context)
        self._history_limit = history_limit
        if history_limit:
            self._history = tf.constant(histories.positions)
            self._splits = tf.constant(histories.splits)
        self._ratings = tf.constant(histories.ratings[histories.trainable]) if ratings else None
        if negatives:
            self._draw = draw or make_draw(UNCONSUMED, 0.0, histories, num_items)

    def epoch(self, epoch: int, batch_size: int) -> tf.data.Dataset:
        """Batches of one epoch, in an order of its own, with fresh negatives.

        The last batch is filled up from the epoch's beginning, so all batches
        have one shape.

        Args:
          epoch: number of the epoch; with the seed it fixes the order.
          batch_size: positives a batch.

        Returns:
          A dataset of dicts: the users' tensors int32 [B], POSITIVE int32 [B]
          and, with negatives, NEGATIVES int32 [B, n]; with a history limit,
          HISTORY int32 [B, limit], where the positive itself is ABSENT; with
          ratings, schema.features.RATING float32 [B].
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
            negatives = self._draw(rows, batch[POSITIVE], self._negatives, seed)
            batch[NEGATIVES] = tf.ensure_shape(negatives, [chosen.shape[0], self._negatives])
        if self._history_limit:
            batch[HISTORY] = self._other_items(rows, batch[POSITIVE])
        return batch

    def _other_items(self, rows: tf.Tensor, positives: tf.Tensor) -> tf.Tensor:
        """The newest items of each row, without the positive that is to be predicted."""
        start, end = (tf.gather(self._splits, at)[:, None] for at in (rows, rows + 1))
        at = end - self._history_limit + tf.range(self._history_limit, dtype=tf.int64)
        items = tf.gather(self._history, tf.maximum(at, 0))
        kept = (at >= start) & (items != positives[:, None])
        return tf.where(kept, items, ABSENT)
