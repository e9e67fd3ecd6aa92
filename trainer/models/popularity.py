"""Ranking by training popularity: what a model must beat to be worth its name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from schema import features
from trainer.config.trainer import TrainerConfig
from trainer.data.catalog import CatalogTensors
from trainer.data.interactions import Interactions
from trainer.models.base import DataSizes, SolvedModel


class Popularity(SolvedModel):
    """Score by i's share of the training interactions, for every u.

    Args:
      catalog: the items.
    """

    def __init__(self, catalog: CatalogTensors) -> None:
        super().__init__(catalog)
        self._shares = self.add_weight(
            name="share", shape=(catalog.size,), initializer="zeros", trainable=False
        )

    @classmethod
    def from_config(cls, config: TrainerConfig, sizes: DataSizes) -> Popularity:
        """See Recommender."""
        return cls(CatalogTensors(sizes.catalog))

    def solve(self, histories: Interactions) -> Iterator[float]:
        """See SolvedModel; the loss is the log loss of drawing items by their shares."""
        counts = histories.counts(self.catalog.size)
        shares = counts / counts.sum()
        self._shares.assign(shares.astype(np.float32))
        yield float(-np.sum(shares * np.log(np.maximum(shares, np.finfo(float).tiny))))

    def user_embedding(self, users: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See Recommender: ones, float32 [B, 1]."""
        return tf.ones([tf.size(users[features.USER_INDEX]), 1])

    def item_embedding(self, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Recommender: shares, float32 [K, 1]."""
        return tf.gather(self._shares, positions)[:, None]

    def score(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: shares, float32 [B, K]."""
        return user_embeddings * item_embeddings[..., 0]

    def score_all(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: shares, float32 [B, C]."""
        return user_embeddings * item_embeddings[None, :, 0]

    def item_similarity(self, positions: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: nothing is known of an item but its share, so the most popular."""
        return self.score_all(tf.ones([tf.size(positions), 1]), item_embeddings)
