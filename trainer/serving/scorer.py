"""How an exported model scores: by user indices and catalog positions, without ids.

Weights, embeddings, histories and popularity in one tf.Module, apart from the
signatures and their lookups, so that TensorFlow Lite can have it alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from schema import features
from trainer.config.trainer import POPULARITY, ColdStart
from trainer.data.batches import newest, user_tensors
from trainer.data.interactions import UserTable
from trainer.models.base import Recommender
from trainer.ops import draws
from trainer.ops.lookup import stored

# The share of an item without interactions in a draw by popularity.
_NEVER = 1e-12


class Scorer(tf.Module):
    """Hold a trained recommender with all that its scores depend on.

    A user that training did not know is scored alike whatever is asked: by
    popularity or as the average user, whose embedding is the mean of all known
    users'.

    Args:
      model: trained.
      users: what is known of each user.
      num_users: users that training knew, the first ones of the table.
      counts: int64 [C], known interactions of each item, its popularity.
      cold_start: which of the two.

    Attributes:
      weights: the model's variables, in its order.
      constants: what else of the model its scores read.
      num_items: number C of catalog items.
      num_users: as given.
      reads_histories: whether scores depend on the users' histories.
      user_features: those of schema.features that scores depend on.
    """

    def __init__(
        self,
        model: Recommender,
        users: UserTable,
        num_users: int,
        counts: np.ndarray,
        cold_start: ColdStart = POPULARITY,
    ) -> None:
        super().__init__()
        # The variables are tracked, the Keras object is not: saving would
        # trace its call, which a Recommender does not have.
        self.weights = list(model.variables)
        self.constants = model.catalog
        self.num_items = model.catalog.size
        self.num_users = num_users
        self.reads_histories = bool(model.history_limit)
        self.user_features = tuple(model.user_features)
        self._history_limit = model.history_limit
        self._encode_users = model.user_embedding
        self._score_pairs = model.score
        self._score_all = model.score_all
        self._item_similarity = model.item_similarity
        self._predict_ratings = model.predict_ratings if model.predicts_ratings else None
        self._pairs = draws.WIDE_PAIRS_AT_A_TIME if model.wide_scores else draws.PAIRS_AT_A_TIME
        self._items = tf.Variable(model.item_embedding(tf.range(self.num_items)), trainable=False)
        self._context = stored(users.context, tf.int32)
        # What the model keeps of the histories itself is not stored again.
        kept = model.histories()
        self._kept_histories = None if kept is None else model.histories
        if kept is not None:
            users = users.without(kept.values.numpy(), kept.row_splits.numpy())
        self._history = stored(users.history, tf.int32)
        self._history_splits = stored(users.history_splits, tf.int64)
        by_popularity = cold_start == POPULARITY
        shares = counts / max(counts.sum(), 1)
        unknown = stored(shares, tf.float32) if by_popularity else self._average_user()
        # Of users that training did not know.
        self._unknown_scores = unknown
        # By shares as they are an item would be drawn about as often as any other.
        logits = np.log(np.maximum(shares, _NEVER)) if by_popularity else unknown
        self._unknown_logits = stored(logits, tf.float32)

    def known(self, index: tf.Tensor) -> tf.Tensor:
        """Tell which users training knew.

        Args:
          index: int32 [B], user indices.

        Returns:
          bool [B].
        """
        return index < self.num_users

    def scores(self, index: tf.Tensor) -> tf.Tensor:
        """Score the whole catalog for each user.

        Args:
          index: int32 [B], user indices.

        Returns:
          float32 [B, C].
        """
        scores = self._score_all(self._user_embeddings(index), self._items)
        known = self.known(index)[:, tf.newaxis]
        # Most often all are, and the scores are not copied.
        return tf.cond(
            tf.reduce_all(known),
            lambda: scores,
            lambda: tf.where(known, scores, self._unknown_scores[tf.newaxis]),
        )

    def all_scores(self, index: tf.Tensor) -> tf.Tensor:
        """Score the whole catalog for each user, some users at a time where they are many.

        Args:
          index: int32 [B], user indices.

        Returns:
          float32 [B, C].
        """

        def some(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
            return [self.scores(index[start:end])]

        count = tf.size(index)
        # Parts that are put together are copied.
        return tf.cond(
            count * self.num_items <= self._pairs,
            lambda: self.scores(index),
            lambda: self.by_chunks(some, count, [tf.float32])[0],
        )

    def scores_and_logits(
        self, index: tf.Tensor, context: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Score the whole catalog for users of whom a request may tell features.

        A user that training did not know is scored by those where there are any.

        Args:
          index: int32 [B], user indices.
          context: int32 [B, 4], columns as schema.features.USER_CONTEXT; -1 for
            what is stored.

        Returns:
          The scores, float32 [B, C], and what to draw items by: the same, but of
          popularity its logarithm.
        """
        stored_context = tf.gather(self._context, index)
        users = self._user_embeddings(index, tf.where(context < 0, stored_context, context))
        scores = self._score_all(users, self._items)
        own = (self.known(index) | tf.reduce_any(context >= 0, axis=1))[:, tf.newaxis]
        unknown = (self._unknown_scores, self._unknown_logits)
        either, logits = (tf.where(own, scores, values[tf.newaxis]) for values in unknown)
        return either, logits

    def score_pairs(self, index: tf.Tensor, position: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score pairs of users and items.

        Args:
          index: int32 [B], user indices.
          position: int32 [B], catalog positions; -1 where there is none.

        Returns:
          `score`, float32 [B], -inf where there is no item, and of a model that
          predicts them `rating`, float32 [B], NaN there.
        """
        safe = tf.maximum(position, 0)
        users, items = self._user_embeddings(index), tf.gather(self._items, safe)
        scores = self._score_pairs(users, items[:, tf.newaxis])[:, 0]
        scores = tf.where(self.known(index), scores, tf.gather(self._unknown_scores, safe))
        outputs = {"score": tf.where(position < 0, -np.inf, scores)}
        if self._predict_ratings is not None:
            ratings = self._predict_ratings(users, items)
            outputs[features.RATING] = tf.where(position < 0, np.nan, ratings)
        return outputs

    def scores_of_histories(self, histories: tf.RaggedTensor) -> tf.Tensor:
        """Score the whole catalog for somebody of whom no more is known than a history.

        Args:
          histories: ragged int32 [B, None], catalog positions in the order of time.

        Returns:
          float32 [B, C]; an empty history is scored as an unknown user.
        """
        count = tf.cast(histories.nrows(), tf.int32)
        index = tf.fill([count], self.num_users)
        context = tf.zeros([count, len(features.USER_CONTEXT)], tf.int32)
        history = newest(histories, self._history_limit)
        users = self._encode_users(user_tensors(index, context, history))
        return tf.where(
            histories.row_lengths()[:, tf.newaxis] > 0,
            self._score_all(users, self._items),
            self._unknown_scores[tf.newaxis],
        )

    def scores_with_histories(self, index: tf.Tensor, told: tf.RaggedTensor) -> tf.Tensor:
        """Score the whole catalog for users whose histories go on in what a request tells.

        Args:
          index: int32 [B], user indices.
          told: ragged int32 [B, None], catalog positions in the order of time; what is
            stored of a known user comes first, and does not come again.

        Returns:
          float32 [B, C]; a user that training did not know is scored by what is told.
        """
        before = tf.gather(self._histories(), index)
        pairs = tf.stack([tf.cast(told.value_rowids(), tf.int32), told.values], axis=1)
        again = tf.gather_nd(draws.marked(before, self.num_items), pairs)
        new = tf.ragged.boolean_mask(told, told.with_values(~again))
        history = newest(tf.concat([before, new], axis=1), self._history_limit)
        # All whom training did not know share one row, see `scores_of_histories`.
        known = self.known(index)
        row, context = tf.where(known, index, self.num_users), tf.gather(self._context, index)
        users = self._encode_users(user_tensors(row, context, history))
        return tf.where(
            (known | (told.row_lengths() > 0))[:, tf.newaxis],
            self._score_all(users, self._items),
            self._unknown_scores[tf.newaxis],
        )

    def similarity(self, position: tf.Tensor) -> tf.Tensor:
        """Compare items to the whole catalog, see Recommender.item_similarity.

        Args:
          position: int32 [B], catalog positions.

        Returns:
          float32 [B, C].
        """
        return self._item_similarity(position, self._items)

    def seen(self, index: tf.Tensor, others: tf.RaggedTensor) -> tf.Tensor:
        """Flag what users are known to have seen.

        Args:
          index: int32 [B], user indices.
          others: ragged int32 [B, None], positions to flag too; -1 flags nothing.

        Returns:
          bool [B, C].
        """
        known = tf.gather(self._histories(), index)
        flags = draws.marked(tf.concat([known, others], axis=1), self.num_items)
        if self._kept_histories is None:
            return flags
        kept = draws.marked(tf.gather(self._kept_histories(), index), self.num_items)
        # Users whom training did not know share the model's rows for them.
        return flags | (kept & self.known(index)[:, tf.newaxis])

    def by_chunks(
        self, rows: draws.Chunk, count: tf.Tensor, dtypes: Sequence[tf.DType]
    ) -> list[tf.Tensor]:
        """Compute something for `count` users against the catalog, some users at a time.

        Args:
          rows: gives the results of a range (start, end) of users.
          count: number of users, a scalar.
          dtypes: of the results.

        Returns:
          The results, each [count, ...].
        """
        return draws.by_chunks(rows, count, self.num_items, dtypes, self._pairs)

    def _histories(self) -> tf.RaggedTensor:
        return tf.RaggedTensor.from_row_splits(self._history, self._history_splits, validate=False)

    def _user_embeddings(self, index: tf.Tensor, context: tf.Tensor | None = None) -> tf.Tensor:
        """Embed users by the stored context, or by another."""
        history = None
        if self._history_limit:
            history = newest(tf.gather(self._histories(), index), self._history_limit)
        context = tf.gather(self._context, index) if context is None else context
        return self._encode_users(user_tensors(index, context, history))

    def _average_user(self) -> tf.Variable:
        """Score the catalog with the mean embedding of the known users, float32 [C]."""
        step = max(1, self._pairs // self.num_items)
        total = 0.0
        for start in range(0, self.num_users, step):
            users = self._user_embeddings(tf.range(start, min(start + step, self.num_users)))
            total += users.numpy().sum(axis=0, dtype=np.float64)
        mean = tf.constant(total / self.num_users, tf.float32)
        return stored(self._score_all(mean[tf.newaxis], self._items)[0], tf.float32)
