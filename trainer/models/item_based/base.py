"""Base of the models that score an item by its weights to the user's items.

EASE and item k-nearest-neighbors. They have no table of users: the
interactions that they were trained on are a variable, 4 bytes each.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from schema import features
from trainer.data.catalog import CatalogTensors
from trainer.data.interactions import Interactions, user_table
from trainer.models.base import SolvedModel
from trainer.ops.draws import marked


class ItemWeights(SolvedModel):
    """Score item i by the sum over u's items j of weight(j, i).

    A user's embedding is all of his scores, an item's the position of its own
    among them, as a float32, which is exact below 2^24 items.

    Args:
      num_users: user indices.
      num_interactions: of the training.
      catalog: the items.
    """

    def __init__(self, num_users: int, num_interactions: int, catalog: CatalogTensors) -> None:
        super().__init__(catalog)
        self._num_users = num_users
        self._history = self.add_weight(
            name="history",
            shape=(num_interactions,),
            dtype=tf.int32,
            initializer="zeros",
            trainable=False,
        )
        self._history_splits = self.add_weight(
            name="history_splits",
            shape=(num_users + 1,),
            dtype=tf.int64,
            initializer="zeros",
            trainable=False,
        )

    @abc.abstractmethod
    def weigh(self, seen: tf.Tensor) -> tf.Tensor:
        """Sum weights.

        Args:
          seen: float32 [B, C], 1 at the users' items.

        Returns:
          Scores, float32 [B, C].
        """

    def remember(self, histories: Interactions) -> None:
        """Keep the interactions by user.

        Args:
          histories: what is trained on.
        """
        table = user_table(histories, self._num_users, self._num_users)
        self._history.assign(table.history)
        self._history_splits.assign(table.history_splits)

    def histories(self) -> tf.RaggedTensor:
        """See Recommender."""
        return tf.RaggedTensor.from_row_splits(self._history, self._history_splits, validate=False)

    def user_embedding(self, users: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See Recommender: scores of all items, float32 [B, C]."""
        items = tf.gather(self.histories(), users[features.USER_INDEX])
        return self.weigh(tf.cast(marked(items, self.catalog.size), tf.float32))

    def item_embedding(self, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Recommender: positions, float32 [K, 1]."""
        return tf.cast(positions, tf.float32)[:, None]

    def score(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: summed weights, float32 [B, K]."""
        return tf.gather(user_embeddings, tf.cast(item_embeddings[..., 0], tf.int32), batch_dims=1)

    def score_all(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: summed weights, float32 [B, C]."""
        return tf.gather(user_embeddings, tf.cast(item_embeddings[:, 0], tf.int32), axis=1)

    def item_similarity(self, positions: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: the weights themselves, from the given items to all."""
        return self.weigh(tf.one_hot(positions, self.catalog.size))


def common_users(histories: Interactions, size: int) -> Iterator[np.ndarray]:
    """Count, for each item in turn, the users that it shares with every item.

    The rows of X^T X of the binary interactions X [users, items], in time
    proportional to the sum of the squared lengths of the histories.

    Args:
      histories: the interactions, each item once a user.
      size: number C of catalog items.

    Yields:
      int64 [C] for item 0, 1, ...; at the item itself its number of users.
    """
    order = np.argsort(histories.positions, kind="stable")
    users = histories.rows[order]
    ends = np.cumsum(histories.counts(size))
    starts, lengths = histories.splits[:-1], np.diff(histories.splits)
    for begin, end in zip(np.concatenate([[0], ends[:-1]]), ends, strict=True):
        own = users[begin:end]
        each = lengths[own]
        # Concatenates the ranges starts[u] .. starts[u] + lengths[u] of the item's users.
        shift = np.repeat(starts[own] - (np.cumsum(each) - each), each)
        yield np.bincount(histories.positions[shift + np.arange(len(shift))], minlength=size)
