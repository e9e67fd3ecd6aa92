"""What an exported model knows of users and items, and how it scores them.

The part of trainer.serving.signatures below the signatures: ids to indices, embeddings,
histories and popularity in one tf.Module. trainer.serving.tflite converts its scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from schema import features
from trainer.data.batches import newest, user_tensors
from trainer.data.catalog import Catalog
from trainer.data.interactions import UserTable
from trainer.models.base import Recommender
from trainer.ops.draws import PAIRS_AT_A_TIME, WIDE_PAIRS_AT_A_TIME
from trainer.ops.lookup import positions, stored, vocabulary


class Scorer(tf.Module):
    """A trained recommender with all that its scores depend on.

    Args:
      model: trained.
      catalog: the candidate items, `counts` being the popularity.
      users: what is known of each user.
      user_vocabulary: raw ids in the order of Transform's vocabulary.
      user_oov_buckets: out-of-vocabulary buckets after it.
      k: length of `serving_default`'s lists.
    """

    def __init__(
        self,
        model: Recommender,
        catalog: Catalog,
        users: UserTable,
        user_vocabulary: Sequence[bytes],
        user_oov_buckets: int,
        k: int,
    ) -> None:
        super().__init__()
        # The variables are tracked, the Keras object is not: saving would
        # trace its call, which a Recommender does not have.
        self._weights = list(model.variables)
        self.constants = model.catalog
        self._encode_users = model.user_embedding
        self._history_limit = model.history_limit
        self._score_pairs = model.score
        self._score_all = model.score_all
        self._likeness = model.item_similarity
        self._rate = model.predict_ratings if model.predicts_ratings else None
        self._k = k
        self._pairs = WIDE_PAIRS_AT_A_TIME if model.wide_scores else PAIRS_AT_A_TIME
        self._num_users = len(user_vocabulary)
        self._raw_ids = (tuple(user_vocabulary), tuple(catalog.item_ids))
        self._users = vocabulary(user_vocabulary, user_oov_buckets)
        self._context = stored(users.context, tf.int32)
        self._history = stored(users.history, tf.int32)
        self._history_splits = stored(users.history_splits, tf.int64)
        self._remember_catalog(catalog)
        self._codes = tf.Variable(model.item_embedding(tf.range(catalog.size)), trainable=False)

    @property
    def user_ids(self) -> tuple[bytes, ...]:
        """Raw ids of the known users, by index."""
        return self._raw_ids[0]

    @property
    def item_ids(self) -> tuple[bytes, ...]:
        """Raw ids of the catalog's items, by position."""
        return self._raw_ids[1]

    def _remember_catalog(self, catalog: Catalog) -> None:
        self._positions = positions(catalog.item_ids.tolist())
        # One more row at the end answers position -1.
        self._item_ids = tf.constant([*catalog.item_ids.tolist(), b""])
        self._titles = tf.constant([*catalog.titles.tolist(), b""])
        self._genre_names = tf.constant(list(catalog.genre_names), tf.string)
        self._genres = stored(catalog.genres, tf.float32)
        self._years = stored(np.maximum(catalog.year, 0), tf.int32)
        self._counts = stored(catalog.counts, tf.int64)
        shares = catalog.counts / max(catalog.counts.sum(), 1)
        self._popularity = stored(shares, tf.float32)

    def score_indices(self, index: tf.Tensor, position: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `score` answers, of looked-up ids; also what trainer.serving.tflite converts.

        Args:
          index: int32 [B], user indices.
          position: int32 [B], catalog positions; -1 where there is none.

        Returns:
          As `score`.
        """
        safe = tf.maximum(position, 0)
        users, embeddings = self._user_codes(index), tf.gather(self._codes, safe)
        scores = self._score_pairs(users, embeddings[:, tf.newaxis])[:, 0]
        scores = tf.where(self._known(index), scores, tf.gather(self._popularity, safe))
        outputs = {"score": tf.where(position < 0, -np.inf, scores)}
        if self._rate is not None:
            outputs[features.RATING] = tf.where(position < 0, np.nan, self._rate(users, embeddings))
        return outputs

    def _histories(self) -> tf.RaggedTensor:
        return tf.RaggedTensor.from_row_splits(self._history, self._history_splits, validate=False)

    def _index(self, user_id: tf.Tensor) -> tf.Tensor:
        return tf.cast(self._users.lookup(user_id), tf.int32)

    def _known(self, index: tf.Tensor) -> tf.Tensor:
        return index < self._num_users

    def _positions_of(self, item_ids: tf.RaggedTensor) -> tf.RaggedTensor:
        return item_ids.with_values(self._positions.lookup(item_ids.values))

    def _user_codes(self, index: tf.Tensor) -> tf.Tensor:
        history = None
        if self._history_limit:
            history = newest(tf.gather(self._histories(), index), self._history_limit)
        return self._encode_users(user_tensors(index, tf.gather(self._context, index), history))

    def _scores(self, index: tf.Tensor) -> tf.Tensor:
        scores = self._score_all(self._user_codes(index), self._codes)
        return tf.where(self._known(index)[:, tf.newaxis], scores, self._popularity[tf.newaxis])
