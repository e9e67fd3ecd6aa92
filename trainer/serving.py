"""The exported model: vocabularies, catalog, histories and weights in one tf.Module.

Built by trainer.run after training and written by trainer.export. Every
signature takes and gives raw ids, so that serving needs no code of this
project, and the Evaluator ranks with the very graph that serves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from schema import features
from trainer import ranking, sampling, slices
from trainer.catalog import Catalog
from trainer.config import ProtocolConfig
from trainer.histories import UserTable
from trainer.input import user_tensors
from trainer.models.base import Recommender
from trainer.rows import at, best_items, first, parse, stored, vocabulary

_STRINGS = tf.TensorSpec([None], tf.string)
_SCALAR = tf.TensorSpec([], tf.int32)


class ServingModel(tf.Module):
    """A trained recommender that answers in raw ids.

    A user that training did not know is served the popularity ranking, in
    `recommend`, `score` and `rank` alike, so what is evaluated is what is
    served; the scores then are shares of the training interactions. Where
    fewer than k items are left, a list ends in item id "", title "" and score
    -inf; so does `score` for an item that the catalog lacks.

    Args:
      model: trained.
      catalog: the candidate items, `counts` being the popularity.
      users: what is known of each user.
      user_vocabulary: raw ids in the order of Transform's vocabulary.
      user_oov_buckets: out-of-vocabulary buckets after it.
      protocol: of `rank`; its k is also the length of `serving_default`'s lists.
    """

    def __init__(
        self,
        model: Recommender,
        catalog: Catalog,
        users: UserTable,
        user_vocabulary: Sequence[bytes],
        user_oov_buckets: int,
        protocol: ProtocolConfig,
    ) -> None:
        super().__init__()
        # The variables are tracked, the Keras object is not: saving would
        # trace its call, which a Recommender does not have.
        self._weights = list(model.variables)
        self.constants = model.catalog
        self._encode_users = model.encode_users
        self._score_pairs = model.score
        self._score_all = model.score_all
        self._rate = model.rate if model.rates else None
        self._protocol = (protocol.k, protocol.negatives, protocol.seed)
        self._num_users = len(user_vocabulary)
        self._raw_ids = (tuple(user_vocabulary), tuple(catalog.item_ids))
        self._users = vocabulary(user_vocabulary, user_oov_buckets)
        self._context = stored(users.context, tf.int32)
        self._history = stored(users.history, tf.int32)
        self._history_splits = stored(users.history_splits, tf.int64)
        self._remember_catalog(catalog)
        self._codes = tf.Variable(model.encode_items(tf.range(catalog.size)), trainable=False)
        unit = tf.math.l2_normalize(self._codes, axis=1)
        self._unit_codes = tf.Variable(unit, trainable=False)

    @property
    def user_ids(self) -> tuple[bytes, ...]:
        """Raw ids of the known users, by index."""
        return self._raw_ids[0]

    @property
    def item_ids(self) -> tuple[bytes, ...]:
        """Raw ids of the catalog's items, by position."""
        return self._raw_ids[1]

    def _remember_catalog(self, catalog: Catalog) -> None:
        self._positions = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(catalog.item_ids.tolist(), tf.string), tf.range(catalog.size)
            ),
            default_value=-1,
        )
        # One more row at the end answers position -1.
        self._item_ids = tf.constant([*catalog.item_ids.tolist(), b""])
        self._titles = tf.constant([*catalog.titles.tolist(), b""])
        groups = slices.popularity_group(catalog.counts).tolist()
        self._groups = tf.constant([*groups, slices.NEVER_TRAINED])
        self._fingerprints = sampling.fingerprint(self._item_ids[:-1])
        shares = catalog.counts / max(catalog.counts.sum(), 1)
        self._popularity = stored(shares, tf.float32)

    @tf.function(input_signature=[_STRINGS])
    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Top-k lists for serialized rows, k being the protocol's.

        Args:
          examples: string [B], serialized tf.Examples with `user_id` and, if
            more has been seen than training knew, `item_id`.

        Returns:
          As `recommend`.
        """
        row = parse(examples)
        excluded = self._positions_of(row[features.ITEM_ID])
        return self._recommend(first(row[features.USER_ID], ""), excluded, self._protocol[0])

    @tf.function(input_signature=[_STRINGS, tf.TensorSpec([None, None], tf.string), _SCALAR])
    def recommend(
        self, user_id: tf.Tensor, exclude_item_id: tf.Tensor, k: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Top-k lists; what the user is known to have seen is left out.

        Args:
          user_id: string [B].
          exclude_item_id: string [B, E], left out too; padded with "".
          k: int32 scalar, length of the lists.

        Returns:
          `item_id` and `title`, string [B, k], and `score`, float32 [B, k].
        """
        excluded = tf.RaggedTensor.from_tensor(exclude_item_id)
        return self._recommend(user_id, self._positions_of(excluded), k)

    @tf.function(input_signature=[_STRINGS, _STRINGS])
    def score(self, user_id: tf.Tensor, item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores of pairs; comparable between items of one user.

        Args:
          user_id: string [B].
          item_id: string [B].

        Returns:
          `score`, float32 [B], and of a model that predicts them `rating`,
          float32 [B], NaN for an item that the catalog lacks.
        """
        return self.score_indices(self._index(user_id), self._positions.lookup(item_id))

    def score_indices(self, index: tf.Tensor, position: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `score` answers, of looked-up ids; also what trainer.lite converts.

        Args:
          index: int32 [B], user indices.
          position: int32 [B], catalog positions; -1 where there is none.

        Returns:
          As `score`.
        """
        safe = tf.maximum(position, 0)
        users, codes = self._user_codes(index), tf.gather(self._codes, safe)
        scores = self._score_pairs(users, codes[:, tf.newaxis])[:, 0]
        scores = tf.where(index < self._num_users, scores, tf.gather(self._popularity, safe))
        outputs = {"score": tf.where(position < 0, -np.inf, scores)}
        if self._rate is not None:
            outputs[features.RATING] = tf.where(position < 0, np.nan, self._rate(users, codes))
        return outputs

    @tf.function(input_signature=[_STRINGS, _SCALAR])
    def similar_items(self, item_id: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """The items with the most alike codes, by cosine; none for an unknown item.

        Args:
          item_id: string [B].
          k: int32 scalar, length of the lists.

        Returns:
          As `recommend`.
        """
        positions = self._positions.lookup(item_id)

        def best(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
            rows = positions[start:end, tf.newaxis]
            codes = tf.gather(self._unit_codes, tf.maximum(rows[:, 0], 0))
            scores = tf.matmul(codes, self._unit_codes, transpose_b=True)
            own = sampling.marked(tf.RaggedTensor.from_tensor(rows), tf.size(self._fingerprints))
            return best_items(scores, own | (rows < 0), k)

        return self._lists(best, tf.size(item_id))

    @tf.function(input_signature=[_STRINGS])
    def rank(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Where the held-out items rank; see trainer.ranking.

        Args:
          examples: string [B], serialized rows of a held-out split.

        Returns:
          int32 [B] `{protocol}_{greater, ties}` of the model and
          `popularity_{protocol}_{greater, ties}` of the popularity ranking, and
          int64 [B] `user_fingerprint`. Of a model that predicts ratings also
          float32 [B] `target_score`, the target's predicted rating, and
          `target_rating`, the row's; NaN where there is none.
        """
        row = parse(examples)
        user_id = first(row[features.USER_ID], "")
        queries = ranking.Queries(
            user_fingerprint=sampling.fingerprint(user_id),
            history=self._positions_of(row[features.ITEM_ID]),
            target=self._positions.lookup(first(row[features.TARGET_ITEM_ID], "")),
            candidates=self._positions_of(row[features.CANDIDATE_ITEM_ID]),
        )
        index = self._index(user_id)

        def by_model(start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
            return self._scores(index[start:end])

        def by_popularity(start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
            return self._popularity[tf.newaxis]

        scorers = {"model": by_model, "popularity": by_popularity}
        _, negatives, seed = self._protocol
        ranks = ranking.rank(queries, scorers, self._fingerprints, negatives=negatives, seed=seed)
        outputs = {"user_fingerprint": queries.user_fingerprint}
        for name, (greater, ties) in ranks.items():
            prefix = name.removeprefix("model_")
            outputs |= {f"{prefix}_greater": greater, f"{prefix}_ties": ties}
        if self._rate is not None:
            predicted = self.score_indices(index, queries.target)[features.RATING]
            outputs[features.TARGET_SCORE] = predicted
            outputs[features.TARGET_RATING] = first(row[features.TARGET_RATING], np.nan)
        return outputs

    @tf.function(input_signature=[_STRINGS])
    def user_slices(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Slices that depend on the row alone, so that all models agree on them.

        Args:
          examples: string [B], serialized rows of a held-out split.

        Returns:
          string [B, 1] `age_group` and `activity`.
        """
        row = parse(examples)
        groups = {
            features.AGE_GROUP: slices.age_group(first(row[features.AGE], -1)),
            features.ACTIVITY: slices.activity(row[features.ITEM_ID].row_lengths()),
        }
        return {name: values[:, tf.newaxis] for name, values in groups.items()}

    @tf.function(input_signature=[_STRINGS])
    def target_slices(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Slices that depend on what this model was trained on.

        Args:
          examples: string [B], serialized rows of a held-out split.

        Returns:
          string [B, 1] `target_popularity`.
        """
        target = self._positions.lookup(first(parse(examples)[features.TARGET_ITEM_ID], ""))
        return {features.TARGET_POPULARITY: at(self._groups, target)[:, tf.newaxis]}

    def _recommend(
        self, user_id: tf.Tensor, excluded: tf.RaggedTensor, k: tf.Tensor | int
    ) -> dict[str, tf.Tensor]:
        index = self._index(user_id)
        histories = tf.RaggedTensor.from_row_splits(
            self._history, self._history_splits, validate=False
        )

        def best(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
            rows = index[start:end]
            seen = tf.concat([tf.gather(histories, rows), excluded[start:end]], axis=1)
            out = sampling.marked(seen, tf.size(self._fingerprints))
            return best_items(self._scores(rows), out, k)

        return self._lists(best, tf.size(user_id))

    def _lists(self, best: sampling.Chunk, count: tf.Tensor) -> dict[str, tf.Tensor]:
        dtypes = (tf.float32, tf.int32)
        lists = sampling.by_chunks(best, count, tf.size(self._fingerprints), dtypes)
        scores, positions = (tf.ensure_shape(column, [None, None]) for column in lists)
        return {
            features.ITEM_ID: at(self._item_ids, positions),
            features.TITLE: at(self._titles, positions),
            "score": scores,
        }

    def _index(self, user_id: tf.Tensor) -> tf.Tensor:
        return tf.cast(self._users.lookup(user_id), tf.int32)

    def _positions_of(self, item_ids: tf.RaggedTensor) -> tf.RaggedTensor:
        return item_ids.with_values(self._positions.lookup(item_ids.values))

    def _user_codes(self, index: tf.Tensor) -> tf.Tensor:
        return self._encode_users(user_tensors(index, tf.gather(self._context, index)))

    def _scores(self, index: tf.Tensor) -> tf.Tensor:
        scores = self._score_all(self._user_codes(index), self._codes)
        known = (index < self._num_users)[:, tf.newaxis]
        return tf.where(known, scores, self._popularity[tf.newaxis])
