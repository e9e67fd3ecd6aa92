"""Two towers that retrieve, with a head that predicts ratings: the multitask model of TFRS."""

from __future__ import annotations

import tensorflow as tf

from schema import features
from trainer.config.ratings import MultiTaskConfig
from trainer.config.trainer import TrainerConfig
from trainer.config.two_tower import TwoTowerConfig
from trainer.models.base import DataSizes
from trainer.models.rating import rating_task
from trainer.models.two_tower.model import TwoTower


class MultiTask(TwoTower):
    """Rank by the towers' dot product and rate by a network over both towers' outputs.

    Args:
      multi_task: weights of the two tasks, and the head's layers.
      towers: see TwoTower.
      sizes: of the data.
      seed: see TwoTower.
    """

    predicts_ratings = True

    def __init__(
        self, multi_task: MultiTaskConfig, towers: TwoTowerConfig, sizes: DataSizes, seed: int = 0
    ) -> None:
        super().__init__(towers, sizes, seed)
        self._weights_of_tasks = (multi_task.retrieval_weight, multi_task.rating_weight)
        hidden = [tf.keras.layers.Dense(w, activation="relu") for w in multi_task.hidden_units]
        self._rating_head = tf.keras.Sequential([*hidden, tf.keras.layers.Dense(1)], name="rating")
        self._rating_task = rating_task()
        embedding = self.item_embedding(tf.zeros([1], tf.int32))
        self.predict_ratings(embedding, embedding)

    @classmethod
    def from_config(cls, config: TrainerConfig, sizes: DataSizes) -> MultiTask:
        """See Recommender."""
        sections = config.section(MultiTaskConfig), config.section(TwoTowerConfig)
        return cls(*sections, sizes, config.seed)

    def predict_ratings(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: the head's output, float32 [B]."""
        return self._rating_head(tf.concat([user_embeddings, item_embeddings], axis=1))[:, 0]

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Weigh and add the towers' loss and the mean squared error of the ratings.

        Args:
          inputs: a batch of trainer.data.batches.TrainingData with ratings.
          training: see TwoTower; the RMSE metric is off then.

        Returns:
          float32 scalar.
        """
        retrieval, rating = self._weights_of_tasks
        loss, users, items = self.loss_and_embeddings(inputs, training)
        ratings = inputs[features.RATING]
        squared = self._rating_task(
            labels=ratings[:, None],
            predictions=self.predict_ratings(users, items)[:, None],
            compute_metrics=not training,
        )
        error = squared / tf.cast(tf.size(ratings), tf.float32)
        return retrieval * loss + rating * error
