"""The model to export, with recommendations for a history where it reads one.

`recommend_for_history` serves somebody without an account, or with news since
the training.
"""

from __future__ import annotations

import tensorflow as tf

from schema import features
from trainer.data.batches import newest, user_tensors
from trainer.data.dataset import Dataset
from trainer.data.interactions import user_table
from trainer.models.base import Recommender
from trainer.ops import draws
from trainer.ops.lookup import best_items
from trainer.serving.signatures import ServingModel


class HistoryServingModel(ServingModel):
    """A ServingModel that answers `recommend_for_history` too."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, None], tf.string), tf.TensorSpec([], tf.int32)]
    )
    def recommend_for_history(self, item_id: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """Top-k lists for a history alone, which is left out of them.

        The user counts as one that training did not know, of unknown gender,
        age and occupation. Items that the catalog lacks do not count; without
        any other the ranking is that of popularity.

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
            index = tf.fill([end - start], self._num_users)
            context = tf.zeros([end - start, len(features.USER_CONTEXT)], tf.int32)
            history = newest(rows, self._history_limit)
            embeddings = self._encode_users(user_tensors(index, context, history))
            scores = tf.where(
                rows.row_lengths()[:, tf.newaxis] > 0,
                self._score_all(embeddings, self._codes),
                self._popularity[tf.newaxis],
            )
            return best_items(scores, draws.marked(rows, tf.size(self._popularity)), k)

        return self._lists(best, tf.shape(item_id)[0])


def serving_model(model: Recommender, dataset: Dataset, k: int) -> ServingModel:
    """What is pushed; it knows all interactions up to the test split, refitted or not.

    Args:
      model: trained on the data.
      dataset: the data.
      k: length of `serving_default`'s lists.

    Returns:
      The model with its signatures, `recommend_for_history` only where it reads
      histories.
    """
    known = dataset.known
    serving = HistoryServingModel if model.history_limit else ServingModel
    return serving(
        model,
        dataset.catalog.with_counts(known.counts(dataset.catalog.size)),
        user_table(known, len(dataset.user_vocabulary), dataset.num_users),
        dataset.user_vocabulary,
        dataset.user_oov_buckets,
        k,
    )
