"""The exported model: the signatures through which it is served and judged.

Built by trainer.run_fn after training and written by trainer.serving.export. Every
signature takes and gives raw ids, so that serving needs no code of this
project. No protocol is part of it: components.evaluator.ranking.wrap ranks by `scores`, the very
graph that serves.
"""

from __future__ import annotations

import tensorflow as tf

from schema import features
from trainer.ops import draws
from trainer.ops.lookup import at, best_items, first, parse
from trainer.serving.scorer import Scorer

_STRINGS = tf.TensorSpec([None], tf.string)
_SCALAR = tf.TensorSpec([], tf.int32)


class ServingModel(Scorer):
    """A trained recommender that answers in raw ids; constructed as Scorer.

    A user that training did not know is served the popularity ranking, in
    `recommend`, `score` and `scores` alike, so what is evaluated is what is
    served; the scores then are shares of the training interactions. Where
    fewer than k items are left, a list ends in item id "", title "" and score
    -inf; so does `score` for an item that the catalog lacks.
    """

    @tf.function(input_signature=[_STRINGS])
    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Top-k lists for serialized rows, k being the evaluation's.

        Args:
          examples: string [B], serialized tf.Examples with `user_id` and, if
            more has been seen than training knew, `item_id`.

        Returns:
          As `recommend`.
        """
        row = parse(examples)
        excluded = self._positions_of(row[features.ITEM_ID])
        return self._recommend(first(row[features.USER_ID], ""), excluded, self._k)

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

    @tf.function(input_signature=[_STRINGS, _SCALAR])
    def similar_items(self, item_id: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """The items that are most alike, see Recommender.item_similarity; none for an unknown item.

        Args:
          item_id: string [B].
          k: int32 scalar, length of the lists.

        Returns:
          As `recommend`.
        """
        positions = self._positions.lookup(item_id)

        def best(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
            rows = positions[start:end, tf.newaxis]
            scores = self._likeness(tf.maximum(rows[:, 0], 0), self._codes)
            own = draws.marked(tf.RaggedTensor.from_tensor(rows), tf.size(self._popularity))
            return best_items(scores, own | (rows < 0), k)

        return self._lists(best, tf.size(item_id))

    @tf.function(input_signature=[_STRINGS])
    def scores(self, user_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores of the whole catalog, by which `recommend` ranks.

        Args:
          user_id: string [B]; [B, C] scores must fit into memory.

        Returns:
          `score`, float32 [B, C], items in the order of `catalog`.
        """
        index = self._index(user_id)

        def some(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
            return [self._scores(index[start:end])]

        size = tf.size(self._popularity)
        (scores,) = draws.by_chunks(some, tf.size(index), size, [tf.float32], self._pairs)
        return {"score": tf.ensure_shape(scores, [None, None])}

    @tf.function(input_signature=[_STRINGS])
    def known_users(self, user_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Whom training knew; for components.evaluator.ranking.wrap.

        Args:
          user_id: string [B].

        Returns:
          `known`, bool [B].
        """
        return {"known": self._known(self._index(user_id))}

    @tf.function(input_signature=[])
    def catalog(self) -> dict[str, tf.Tensor]:
        """What is ranked; for components.evaluator.ranking.wrap.

        Returns:
          `item_id` string [C]; `count` int64 [C], the interactions that are known
          of the items; `genres` float32 [C, G], 1 where the item has the genre;
          `genre` string [G]; `year` int32 [C], 0 where unknown; `user_count` int64
          scalar, users that training knew.
        """
        return {
            features.ITEM_ID: self._item_ids[:-1],
            "count": tf.identity(self._counts),
            features.GENRES: tf.identity(self._genres),
            "genre": tf.identity(self._genre_names),
            features.YEAR: tf.identity(self._years),
            "user_count": tf.constant(self._num_users, tf.int64),
        }

    def _recommend(
        self, user_id: tf.Tensor, excluded: tf.RaggedTensor, k: tf.Tensor | int
    ) -> dict[str, tf.Tensor]:
        index = self._index(user_id)
        histories = self._histories()

        def best(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
            rows = index[start:end]
            seen = tf.concat([tf.gather(histories, rows), excluded[start:end]], axis=1)
            out = draws.marked(seen, tf.size(self._popularity))
            return best_items(self._scores(rows), out, k)

        return self._lists(best, tf.size(user_id))

    def _lists(self, best: draws.Chunk, count: tf.Tensor) -> dict[str, tf.Tensor]:
        dtypes = (tf.float32, tf.int32)
        lists = draws.by_chunks(best, count, tf.size(self._popularity), dtypes, self._pairs)
        scores, positions = (tf.ensure_shape(column, [None, None]) for column in lists)
        return {
            features.ITEM_ID: at(self._item_ids, positions),
            features.TITLE: at(self._titles, positions),
            "score": scores,
        }
