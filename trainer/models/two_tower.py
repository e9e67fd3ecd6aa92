"""Two towers trained with the in-batch sampled softmax of TFRS.

Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
Recommendations": each positive's item competes with the batch's other items,
whose logits are corrected by the log of their sampling probability.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs

from schema import features
from trainer.catalog import NUM_YEAR_GROUPS, CatalogTensors
from trainer.config import TwoTowerConfig
from trainer.input import POSITIVE
from trainer.models.base import Recommender


class TwoTower(Recommender):
    """score(u, i) = f(user features) . g(item features).

    Args:
      settings: widths, temperature and regularization.
      num_users: rows of the user table.
      context_sizes: rows of the tables of the user's context features, in the
        order of schema.features.USER_CONTEXT_INDICES.
      catalog: the items.
      item_probability: float32 [C], each item's share of the positives.
    """

    def __init__(
        self,
        settings: TwoTowerConfig,
        num_users: int,
        context_sizes: Sequence[int],
        catalog: CatalogTensors,
        item_probability: tf.Tensor,
    ) -> None:
        super().__init__(catalog)
        self._settings = settings
        self._probability = tf.constant(item_probability, tf.float32)
        self._user_id = self._table("user", num_users, settings.embedding_dim)
        self._item_id = self._table("item", catalog.num_indices, settings.embedding_dim)
        # No training interaction moves these rows, so an item without any is
        # placed by its content alone.
        unknown = tf.zeros_like(self._item_id[catalog.num_vocabulary :])
        self._item_id[catalog.num_vocabulary :].assign(unknown)
        self._context = [
            self._table(name, size, settings.feature_dim)
            for name, size in zip(features.USER_CONTEXT_INDICES, context_sizes, strict=True)
        ]
        if catalog.num_genres:
            self._genre = self._table("genre", catalog.num_genres, settings.feature_dim)
        self._year = self._table("year", NUM_YEAR_GROUPS, settings.feature_dim)
        self._user_layers = self._tower("user_tower")
        self._item_layers = self._tower("item_tower")
        self.task = tfrs.tasks.Retrieval(
            temperature=settings.temperature, remove_accidental_hits=True
        )
        # Layers make their variables on first use; the loop under a strategy
        # needs them before.
        zero = tf.zeros([1], tf.int32)
        self.encode_items(zero)
        self.encode_users(
            dict.fromkeys((features.USER_INDEX, *features.USER_CONTEXT_INDICES), zero)
        )

    def encode_users(self, users: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See Recommender: the user tower's output, float32 [B, D]."""
        parts = [tf.gather(self._user_id, users[features.USER_INDEX])]
        for table, name in zip(self._context, features.USER_CONTEXT_INDICES, strict=True):
            parts.append(tf.gather(table, users[name]))
        return self._run(self._user_layers, parts, training)

    def encode_items(self, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Recommender: the item tower's output, float32 [K, D]."""
        parts = [
            tf.gather(self._item_id, tf.gather(self.catalog.item_index, positions)),
            tf.gather(self._year, tf.gather(self.catalog.year_index, positions)),
        ]
        if self.catalog.num_genres:
            hot = tf.gather(self.catalog.genres, positions)
            mean = hot / tf.maximum(tf.reduce_sum(hot, axis=1, keepdims=True), 1.0)
            parts.append(tf.matmul(mean, self._genre))
        return self._run(self._item_layers, parts, training)

    def score(self, user_codes: tf.Tensor, item_codes: tf.Tensor) -> tf.Tensor:
        """See Recommender: dot products, float32 [B, K]."""
        return tf.linalg.matvec(item_codes, user_codes)

    def score_all(self, user_codes: tf.Tensor, item_codes: tf.Tensor) -> tf.Tensor:
        """See Recommender: dot products, float32 [B, C]."""
        return tf.matmul(user_codes, item_codes, transpose_b=True)

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Mean in-batch softmax cross entropy.

        Yi et al. 2019, equations 3 and 4, with their logQ correction; items
        that repeat a row's own positive do not count as its negatives.

        Args:
          inputs: a batch of trainer.input.TrainingData.
          training: switches dropout on.

        Returns:
          float32 scalar.
        """
        positions = inputs[POSITIVE]
        probability = None
        if self._settings.logq_correction:
            probability = tf.gather(self._probability, positions)
        total = self.task(
            self.encode_users(inputs, training),
            self.encode_items(positions, training),
            candidate_sampling_probability=probability,
            candidate_ids=positions,
            compute_metrics=False,
            compute_batch_metrics=False,
        )
        return total / tf.cast(tf.size(positions), tf.float32)

    def _table(self, name: str, rows: int, width: int) -> tf.Variable:
        l2 = self._settings.l2
        return self.add_weight(
            name=f"{name}_embedding",
            shape=(rows, width),
            initializer=tf.keras.initializers.RandomNormal(stddev=0.05),
            regularizer=tf.keras.regularizers.L2(l2) if l2 else None,
        )

    def _tower(self, name: str) -> tf.keras.Sequential:
        hidden = [
            tf.keras.layers.Dense(width, activation="relu") for width in self._settings.hidden_units
        ]
        output = tf.keras.layers.Dense(self._settings.embedding_dim)
        dropout = tf.keras.layers.Dropout(self._settings.dropout)
        return tf.keras.Sequential([dropout, *hidden, output], name=name)

    def _run(self, tower: tf.keras.Sequential, parts: list[tf.Tensor], training: bool) -> tf.Tensor:
        output = tower(tf.concat(parts, axis=1), training=training)
        return tf.math.l2_normalize(output, axis=1) if self._settings.normalize else output
