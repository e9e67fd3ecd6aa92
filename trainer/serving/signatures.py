"""The exported model: the signatures through which it is served and evaluated.

Every signature takes and gives raw ids, so that serving needs no code of this
project. No protocol is part of it: components.evaluator.ranking ranks by `scores`,
the very graph that serves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from schema import features
from trainer.data.catalog import Catalog
from trainer.ops import draws
from trainer.ops.lookup import at, best_items, first, parse, positions, stored, vocabulary
from trainer.serving.options import OptionLists
from trainer.serving.scorer import Scorer

_STRINGS = tf.TensorSpec([None], tf.string)
_TABLE = tf.TensorSpec([None, None], tf.string)
_SCALAR = tf.TensorSpec([], tf.int32)


class ServingModel(tf.Module):
    """Serve a trained recommender that answers in raw ids.

    A user that training did not know is served the popularity ranking or that of
    the average user, in `recommend`, `score` and `scores` alike, so what is
    evaluated is what is served; scores by popularity are shares of the training
    interactions. Where
    fewer than k items are left, a list ends in item id "", title "" and score
    -inf; so does `score` for an item that the catalog lacks. Of equal scores the
    item that comes first in the catalog is listed first: the one with more
    training interactions, then the last by the bytes of its id; items without a
    vocabulary row come after all others, the first by their ids' bytes first.

    Args:
      scorer: of the users and items by index and position.
      catalog: the candidate items, with `counts`.
      user_vocabulary: raw ids in the order of Transform's vocabulary.
      user_oov_buckets: out-of-vocabulary buckets after it.
      k: length of `serving_default`'s lists.
      feature_values: of schema.features GENDER and OCCUPATION what training knew,
        by index from 1 on; needed of those that the scorer reads.

    Attributes:
      scorer: as given.
      user_ids: raw ids of the known users, by index.
      item_ids: raw ids of the catalog's items, by position.
      option_inputs: what `recommend_with_options` takes, by name.
      recommend_for_history: the signature of that name, in a model that reads
        histories only.
    """

    def __init__(
        self,
        scorer: Scorer,
        catalog: Catalog,
        user_vocabulary: Sequence[bytes],
        user_oov_buckets: int,
        k: int,
        feature_values: Mapping[str, Sequence[bytes]] | None = None,
    ) -> None:
        super().__init__()
        self.scorer = scorer
        # A warm start reads them from the SavedModel under this name.
        self._weights = scorer.weights
        self._k = k
        self.user_ids, self.item_ids = tuple(user_vocabulary), tuple(catalog.item_ids)
        self._users = vocabulary(user_vocabulary, user_oov_buckets)
        self._positions = positions(catalog.item_ids.tolist())
        # One more row at the end answers position -1.
        self._item_id_rows = tf.constant([*catalog.item_ids.tolist(), b""])
        self._titles = tf.constant([*catalog.shown_titles(), b""])
        self._genre_names = tf.constant(list(catalog.genre_names), tf.string)
        self._genres = stored(catalog.genres, tf.float32)
        self._years = stored(np.maximum(catalog.year, 0), tf.int32)
        self._counts = stored(catalog.counts, tf.int64)
        self._options = OptionLists(scorer, self.item_ids, feature_values or {})
        own = {features.USER_ID: _STRINGS, "exclude_item_id": _TABLE}
        self.option_inputs = {**own, **self._options.inputs}
        if scorer.reads_histories:
            self.recommend_for_history = tf.function(
                self._recommend_for_history,
                input_signature=[_TABLE, _SCALAR],
                autograph=False,
            )

    @tf.function(input_signature=[_STRINGS], autograph=False)
    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Top-k lists for serialized rows, k being the evaluation's.

        Args:
          examples: string [B], serialized tf.Examples with `user_id` and, if
            more has been seen than training knew, `item_id` in the order of
            time. It is left out, and a model that reads histories ranks by it: for
            a user whom training did not know as `recommend_for_history`, for others
            behind what it knew, without training anew.

        Returns:
          As `recommend`.
        """
        row = parse(examples)
        history = self._positions_of(row[features.ITEM_ID])
        scores = self._scores_with_histories if self.scorer.reads_histories else None
        return self._recommend(first(row[features.USER_ID], ""), history, self._k, scores)

    @tf.function(input_signature=[_STRINGS, _TABLE, _SCALAR], autograph=False)
    def recommend(
        self, user_id: tf.Tensor, exclude_item_id: tf.Tensor, k: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Top-k lists; what the user is known to have seen is left out.

        Args:
          user_id: string [B].
          exclude_item_id: string [B, E], left out too; padded with "".
          k: int32 scalar, length of the lists.

        Returns:
          `item_id` and `title` (with its year, where known), string [B, k], and
          `score`, float32 [B, k].
        """
        excluded = tf.RaggedTensor.from_tensor(exclude_item_id)
        return self._recommend(user_id, self._positions_of(excluded), k)

    @tf.function(autograph=False)
    def recommend_with_options(
        self, user_id: tf.Tensor, exclude_item_id: tf.Tensor, **asked: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Top-k lists or drawn ones, as `recommend` gives them, by what the request says.

        Args:
          user_id: string [B].
          exclude_item_id: string [B, E], left out whatever the options say; padded
            with "".
          asked: see trainer.serving.options.

        Returns:
          As `recommend`; a drawn list too begins with the best of its items.
        """
        excluded = self._positions_of(tf.RaggedTensor.from_tensor(exclude_item_id))
        users = self._index(user_id), draws.fingerprint(user_id)
        return self._lists(self._options.chunk(*users, excluded, asked), tf.size(user_id))

    @tf.function(input_signature=[_STRINGS, _STRINGS], autograph=False)
    def score(self, user_id: tf.Tensor, item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score of pairs; comparable between items of one user.

        Args:
          user_id: string [B].
          item_id: string [B].

        Returns:
          `score`, float32 [B], and of a model that predicts them `rating`,
          float32 [B], NaN for an item that the catalog lacks.
        """
        return self.scorer.score_pairs(self._index(user_id), self._positions.lookup(item_id))

    @tf.function(input_signature=[_STRINGS, _SCALAR], autograph=False)
    def similar_items(self, item_id: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the most similar items, see Recommender.item_similarity; none for an unknown item.

        Args:
          item_id: string [B].
          k: int32 scalar, length of the lists.

        Returns:
          As `recommend`.
        """
        positions = self._positions.lookup(item_id)

        def best(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
            rows = positions[start:end, tf.newaxis]
            scores = self.scorer.similarity(tf.maximum(rows[:, 0], 0))
            own = draws.marked(tf.RaggedTensor.from_tensor(rows), self.scorer.num_items)
            return best_items(scores, own | (rows < 0), k)

        return self._lists(best, tf.size(item_id))

    @tf.function(input_signature=[_STRINGS], autograph=False)
    def scores(self, user_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Score of the whole catalog, by which `recommend` ranks.

        Args:
          user_id: string [B]; [B, C] scores must fit into memory.

        Returns:
          `score`, float32 [B, C], items in the order of `catalog`.
        """
        scores = self.scorer.all_scores(self._index(user_id))
        return {"score": tf.ensure_shape(scores, [None, None])}

    @tf.function(input_signature=[_STRINGS], autograph=False)
    def known_users(self, user_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Whom training knew.

        Args:
          user_id: string [B].

        Returns:
          `known`, bool [B].
        """
        return {"known": self.scorer.known(self._index(user_id))}

    @tf.function(input_signature=[], autograph=False)
    def catalog(self) -> dict[str, tf.Tensor]:
        """Return the items that are ranked.

        Returns:
          `item_id` string [C]; `count` int64 [C], the interactions that are known
          of the items; `genres` float32 [C, G], 1 where the item has the genre;
          `genre` string [G]; `year` int32 [C], 0 where unknown; `user_count` int64
          scalar, users that training knew.
        """
        return {
            features.ITEM_ID: self._item_id_rows[:-1],
            "count": tf.identity(self._counts),
            features.GENRES: tf.identity(self._genres),
            "genre": tf.identity(self._genre_names),
            features.YEAR: tf.identity(self._years),
            "user_count": tf.constant(self.scorer.num_users, tf.int64),
        }

    def _recommend(
        self,
        user_id: tf.Tensor,
        excluded: tf.RaggedTensor,
        k: tf.Tensor | int,
        scores: Callable[[tf.Tensor, tf.RaggedTensor], tf.Tensor] | None = None,
    ) -> dict[str, tf.Tensor]:
        """List by `scores` of user indices and their `excluded`; without it, by the scorer's."""
        index = self._index(user_id)

        def best(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
            rows, without = index[start:end], excluded[start:end]
            found = self.scorer.scores(rows) if scores is None else scores(rows, without)
            return best_items(found, self.scorer.seen(rows, without), k)

        return self._lists(best, tf.size(user_id))

    def _scores_with_histories(self, index: tf.Tensor, history: tf.RaggedTensor) -> tf.Tensor:
        """Score by histories that go on in what the request brings, where the catalog has it."""
        told = tf.ragged.boolean_mask(history, history >= 0)
        return self.scorer.scores_with_histories(index, told)

    def _recommend_for_history(self, item_id: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """Top-k lists for a history alone, which is left out of them.

        The user counts as one that training did not know, of unknown gender,
        age and occupation. Items that the catalog lacks do not count; without
        any other the ranking is an unknown user's.

        Args:
          item_id: string [B, L], in the order of time; padded with "".
          k: int32 scalar, length of the lists.

        Returns:
          As `recommend`.
        """
        known = self._positions_of(tf.RaggedTensor.from_tensor(item_id))
        known = tf.ragged.boolean_mask(known, known >= 0)

        def best(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
            rows = known[start:end]
            seen = draws.marked(rows, self.scorer.num_items)
            return best_items(self.scorer.scores_of_histories(rows), seen, k)

        return self._lists(best, tf.shape(item_id)[0])

    def _lists(self, best: draws.Chunk, count: tf.Tensor) -> dict[str, tf.Tensor]:
        lists = self.scorer.by_chunks(best, count, (tf.float32, tf.int32))
        scores, positions = (tf.ensure_shape(column, [None, None]) for column in lists)
        return {
            features.ITEM_ID: at(self._item_id_rows, positions),
            features.TITLE: at(self._titles, positions),
            "score": scores,
        }

    def _index(self, user_id: tf.Tensor) -> tf.Tensor:
        return tf.cast(self._users.lookup(user_id), tf.int32)

    def _positions_of(self, item_ids: tf.RaggedTensor) -> tf.RaggedTensor:
        return item_ids.with_values(self._positions.lookup(item_ids.values))
