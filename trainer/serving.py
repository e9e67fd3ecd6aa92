"""The exported model: the signatures through which it is served and judged.

Built by trainer.run after training and written by trainer.export. Every
signature takes and gives raw ids, so that serving needs no code of this
project, and the Evaluator ranks with the very graph that serves.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from schema import features
from trainer import ranking, sampling, slices
from trainer.rows import at, best_items, first, parse
from trainer.scorer import Scorer

_STRINGS = tf.TensorSpec([None], tf.string)
_SCALAR = tf.TensorSpec([], tf.int32)


class ServingModel(Scorer):
    """A trained recommender that answers in raw ids; constructed as Scorer.

    A user that training did not know is served the popularity ranking, in
    `recommend`, `score` and `rank` alike, so what is evaluated is what is
    served; the scores then are shares of the training interactions. Where
    fewer than k items are left, a list ends in item id "", title "" and score
    -inf; so does `score` for an item that the catalog lacks.
    """

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

    @tf.function(input_signature=[_STRINGS, _SCALAR])
    def similar_items(self, item_id: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """The items that are most alike, see Recommender.likeness; none for an unknown item.

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
        histories = self._histories()

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
