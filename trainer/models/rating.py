"""Explicit ratings predicted by a network over user and item embeddings.

The model of the TFRS ranking tutorial: the ranking task of TensorFlow
Recommenders with the mean squared error as loss and its root as metric.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs

from schema import features
from trainer.config.ratings import RatingConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.batches import POSITIVE
from trainer.data.catalog import CatalogTensors
from trainer.models.base import DataSizes, Recommender
from trainer.models.initializers import KnownRows


class Rating(Recommender):
    """Predict ratings by v . relu-layers([e_u ; e_i]) + b, which also ranks.

    As in NeuMF the first layer is linear in the concatenation, so each half of
    it belongs to its side's embedding. Ids without a vocabulary row have a zero
    embedding: an unknown user is predicted an item's usual rating.

    Args:
      settings: widths and regularization.
      num_users: rows of the user table.
      unknown_users: how many of them, at the end, are out-of-vocabulary buckets.
      catalog: the items.
    """

    predicts_ratings = True
    wide_scores = True

    def __init__(
        self, settings: RatingConfig, num_users: int, unknown_users: int, catalog: CatalogTensors
    ) -> None:
        super().__init__(catalog)
        self._l2 = settings.l2
        self._dropout = tf.keras.layers.Dropout(settings.dropout)
        self._users = self._table("user", num_users, num_users - unknown_users, settings)
        self._items = self._table("item", catalog.num_rows, catalog.num_vocabulary, settings)
        first, *others = settings.hidden_units
        self._user_first = tf.keras.layers.Dense(first, name="user_first")
        self._item_first = tf.keras.layers.Dense(first, use_bias=False, name="item_first")
        self._layers = [tf.keras.layers.Dense(width, activation="relu") for width in others]
        self._head = tf.keras.layers.Dense(1, name="prediction")
        self.task = rating_task()
        # Layers make their variables on first use; the loop under a strategy
        # needs them before.
        zero = tf.zeros([1], tf.int32)
        self.predict_ratings(
            self.user_embedding({features.USER_INDEX: zero}), self.item_embedding(zero)
        )

    @classmethod
    def from_config(cls, config: TrainerConfig, sizes: DataSizes) -> Rating:
        """See Recommender."""
        return cls(
            config.section(RatingConfig),
            sizes.num_users,
            sizes.unknown_users,
            CatalogTensors(sizes.catalog),
        )

    def tables(self) -> dict[str, Sequence[tf.Variable]]:
        """See Recommender."""
        return {features.USER_ID: [self._users], features.ITEM_ID: [self._items]}

    def user_embedding(self, users: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See Recommender: the user's half of the first layer, float32 [B, D]."""
        return self._user_half(tf.gather(self._users, users[features.USER_INDEX]), training)

    def item_embedding(self, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Recommender: the item's half of the first layer, float32 [K, D]."""
        return self._item_half(self._item_rows(positions), training)

    def score(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: predicted ratings, float32 [B, K]."""
        hidden = user_embeddings[:, None, :] + item_embeddings
        flat = self._top(tf.reshape(hidden, [-1, hidden.shape[-1]]))
        return tf.reshape(flat, tf.shape(hidden)[:2])

    def score_all(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: predicted ratings, float32 [B, C]."""
        return self.score(user_embeddings, item_embeddings[None])

    def predict_ratings(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: the scores, float32 [B]."""
        return self._top(user_embeddings + item_embeddings)[:, 0]

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Average the squared errors of the batch's ratings, and add the L2 of its embeddings.

        The L2 is a mean over examples too, so a row is held back in proportion
        to how often it occurs (Koren et al. 2009, equation 2).

        Args:
          inputs: a batch of trainer.data.batches.TrainingData with ratings.
          training: switches dropout on, and the RMSE metric off.

        Returns:
          float32 scalar.
        """
        users = tf.gather(self._users, inputs[features.USER_INDEX])
        items = self._item_rows(inputs[POSITIVE])
        predictions = self.predict_ratings(
            self._user_half(users, training), self._item_half(items, training)
        )
        ratings = inputs[features.RATING]
        total = self.task(
            labels=ratings[:, None], predictions=predictions[:, None], compute_metrics=not training
        )
        if self._l2:
            total += self._l2 * (tf.reduce_sum(users**2) + tf.reduce_sum(items**2))
        return total / tf.cast(tf.size(ratings), tf.float32)

    def _table(self, name: str, rows: int, known: int, settings: RatingConfig) -> tf.Variable:
        return self.add_weight(
            name=f"{name}_embedding",
            shape=(rows, settings.embedding_dim),
            initializer=KnownRows(known),
        )

    def _item_rows(self, positions: tf.Tensor) -> tf.Tensor:
        return self.catalog.rows(self._items, positions)

    def _user_half(self, rows: tf.Tensor, training: bool) -> tf.Tensor:
        return self._user_first(self._dropout(rows, training=training))

    def _item_half(self, rows: tf.Tensor, training: bool) -> tf.Tensor:
        return self._item_first(self._dropout(rows, training=training))

    def _top(self, hidden: tf.Tensor) -> tf.Tensor:
        hidden = tf.nn.relu(hidden)
        for layer in self._layers:
            hidden = layer(hidden)
        return self._head(hidden)


def rating_task() -> tfrs.tasks.Ranking:
    """Make the ranking task of TFRS: squared error, summed over the batch, and RMSE.

    Returns:
      The task; its caller divides by the batch's size, as a strategy wants it.
    """
    return tfrs.tasks.Ranking(
        loss=tf.keras.losses.MeanSquaredError(reduction=tf.keras.losses.Reduction.SUM),
        metrics=[tf.keras.metrics.RootMeanSquaredError(name="rmse")],
    )
