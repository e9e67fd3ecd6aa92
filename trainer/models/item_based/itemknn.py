"""Item-based k nearest neighbors by cosine.

Sarwar et al. 2001, "Item-Based Collaborative Filtering Recommendation
Algorithms", on binary interactions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from trainer.config.baselines import ItemKNNConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.catalog import CatalogTensors
from trainer.data.interactions import Interactions
from trainer.models.base import DataSizes
from trainer.models.item_based.base import ItemWeights, common_users


class ItemKNN(ItemWeights):
    """Score by the sum of s_ij over those of i's k nearest items j that u has.

    s_ij = n_ij / (sqrt(n_i n_j) + shrinkage), n counting users. Only the
    neighbors are kept, 8 bytes each.

    Args:
      settings: k and shrinkage.
      num_users: user indices.
      num_interactions: of the training.
      catalog: the items.
    """

    def __init__(
        self,
        settings: ItemKNNConfig,
        num_users: int,
        num_interactions: int,
        catalog: CatalogTensors,
    ) -> None:
        super().__init__(num_users, num_interactions, catalog)
        self._shrinkage = settings.shrinkage
        self._width = min(settings.neighbors, catalog.size - 1)
        shape = (catalog.size, self._width)
        self._neighbors = self.add_weight(
            name="neighbors", shape=shape, dtype=tf.int32, initializer="zeros", trainable=False
        )
        self._similarity = self.add_weight(
            name="similarity", shape=shape, initializer="zeros", trainable=False
        )

    @classmethod
    def from_config(cls, config: TrainerConfig, sizes: DataSizes) -> ItemKNN:
        """See Recommender."""
        return cls(
            config.section(ItemKNNConfig),
            sizes.num_users,
            int(sizes.catalog.counts.sum()),
            CatalogTensors(sizes.catalog),
        )

    def solve(self, histories: Interactions) -> Iterator[float]:
        """See SolvedModel; nothing is minimized, so the loss is 0."""
        size = self.catalog.size
        root = np.sqrt(histories.counts(size))
        neighbors = np.empty((size, self._width), np.int32)
        similarity = np.empty((size, self._width), np.float32)
        for item, common in enumerate(common_users(histories, size)):
            cosine = common / np.maximum(root[item] * root + self._shrinkage, 1e-9)
            cosine[item] = -1.0
            nearest = np.sort(np.argpartition(-cosine, self._width - 1)[: self._width])
            neighbors[item], similarity[item] = nearest, cosine[nearest]
        self._neighbors.assign(neighbors)
        self._similarity.assign(similarity)
        self.remember(histories)
        yield 0.0

    def weigh(self, seen: tf.Tensor) -> tf.Tensor:
        """See ItemWeights; a product with a sparse matrix."""
        size = self.catalog.size
        rows = tf.repeat(tf.range(size, dtype=tf.int64), self._width)
        columns = tf.cast(tf.reshape(self._neighbors, [-1]), tf.int64)
        weights = tf.SparseTensor(
            tf.stack([rows, columns], axis=1), tf.reshape(self._similarity, [-1]), [size, size]
        )
        return tf.transpose(tf.sparse.sparse_dense_matmul(weights, seen, adjoint_b=True))
