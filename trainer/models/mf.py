"""Matrix factorization: a dot product with biases, trained by the logistic loss.

Rendle et al. 2020, "Neural Collaborative Filtering vs. Matrix Factorization
Revisited", section 3: the baseline that NeuMF has to beat.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from schema import features
from trainer.config.baselines import MFConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.catalog import CatalogTensors
from trainer.models import losses
from trainer.models.base import DataSizes, Recommender
from trainer.models.pairs import sampled_items


class MF(Recommender):
    """Score by p_u . q_i + b_u + b_i + b.

    Args:
      settings: width, initial values and regularization.
      num_users: rows of the user table.
      catalog: the items.
    """

    def __init__(self, settings: MFConfig, num_users: int, catalog: CatalogTensors) -> None:
        super().__init__(catalog)
        self._l2 = settings.l2
        self._users = self._table("user", num_users, settings)
        self._items = self._table("item", catalog.num_rows, settings)
        self._user_bias = self._biases("user", num_users)
        self._item_bias = self._biases("item", catalog.num_rows)
        self._bias = self.add_weight(name="bias", shape=(1,), initializer="zeros")

    @classmethod
    def from_config(cls, config: TrainerConfig, sizes: DataSizes) -> MF:
        """See Recommender."""
        return cls(config.section(MFConfig), sizes.num_users, CatalogTensors(sizes.catalog))

    def tables(self) -> dict[str, Sequence[tf.Variable]]:
        """See Recommender."""
        return {
            features.USER_ID: [self._users, self._user_bias],
            features.ITEM_ID: [self._items, self._item_bias],
        }

    def user_embedding(self, users: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See Recommender: [p_u, b_u + b, 1], float32 [B, D + 2]."""
        index = users[features.USER_INDEX]
        bias = tf.gather(self._user_bias, index) + self._bias
        return tf.concat([tf.gather(self._users, index), bias, tf.ones_like(bias)], axis=1)

    def item_embedding(self, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Recommender: [q_i, 1, b_i], float32 [K, D + 2]."""
        bias = self.catalog.rows(self._item_bias, positions)
        items = self.catalog.rows(self._items, positions)
        return tf.concat([items, tf.ones_like(bias), bias], axis=1)

    def score(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: logits, float32 [B, K]."""
        return tf.linalg.matvec(item_embeddings, user_embeddings)

    def score_all(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: logits, float32 [B, C]."""
        return tf.matmul(user_embeddings, item_embeddings, transpose_b=True)

    def item_similarity(self, positions: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: by the embeddings alone; a bias says nothing of taste."""
        return super().item_similarity(positions, item_embeddings[:, :-2])

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Average log loss and regularization over each positive and its sampled negatives.

        Rendle et al. 2020, equation 5 with one term an example:
        log loss + l2 / 2 (|p_u|^2 + |q_i|^2 + b_u^2 + b_i^2).

        Args:
          inputs: a batch of trainer.data.batches.TrainingData with negatives.
          training: passed on to the encoders.

        Returns:
          float32 scalar.
        """
        items = sampled_items(inputs)
        everything = tf.range(self.catalog.size)
        embeddings = self.item_embedding(everything, training)
        logits = self.score(self.user_embedding(inputs, training), tf.gather(embeddings, items))
        users = inputs[features.USER_INDEX]
        squares = tf.gather(_squares(self._users, self._user_bias), users)[:, None]
        item_squares = self.catalog.rows(_squares(self._items, self._item_bias), everything)
        squares += tf.gather(item_squares, items)
        return tf.reduce_mean(losses.log_losses(logits) + 0.5 * self._l2 * squares)

    def _table(self, name: str, rows: int, settings: MFConfig) -> tf.Variable:
        return self.add_weight(
            name=f"{name}_embedding",
            shape=(rows, settings.embedding_dim),
            initializer=tf.keras.initializers.RandomNormal(stddev=settings.stddev),
        )

    def _biases(self, name: str, rows: int) -> tf.Variable:
        return self.add_weight(name=f"{name}_bias", shape=(rows, 1), initializer="zeros")


def _squares(table: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Sum the squares of each row and its bias, [R]."""
    return tf.reduce_sum(tf.square(table), axis=1) + tf.square(bias[:, 0])
