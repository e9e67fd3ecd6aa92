"""The multi-task model: its loss is the weighted sum of its tasks'."""

import numpy as np
import pytest
import tensorflow as tf

from schema import features
from schema.errors import UserError
from tests.support import planted
from trainer.config.ratings import MultiTaskConfig
from trainer.config.two_tower import TwoTowerConfig
from trainer.data.batches import POSITIVE, ROW, user_tensors
from trainer.models.base import DataSizes
from trainer.models.two_tower.model import TwoTower
from trainer.models.two_tower.multi_task import MultiTask

ITEMS = 6
BATCH = {
    **user_tensors(tf.constant([0, 1, 2]), tf.ones([3, 4], tf.int32)),
    ROW: tf.constant([0, 1, 2]),
    POSITIVE: tf.constant([5, 0, 2]),
    features.RATING: tf.constant([4.0, 1.0, 5.0]),
}


def build(**weights):
    tf.keras.utils.set_random_seed(3)
    catalog = planted.make_catalog(ITEMS).with_counts(np.ones(ITEMS, int))
    towers = TwoTowerConfig(embedding_dim=4, feature_dim=2)
    settings = MultiTaskConfig(hidden_units=(), **weights)
    return MultiTask(settings, towers, DataSizes(5, (3, 8, 2), catalog))


def squared_error(model):
    users = model.user_embedding(BATCH).numpy()
    items = model.item_embedding(BATCH[POSITIVE]).numpy()
    kernel, bias = model._rating_head.get_weights()
    ratings = (np.concatenate([users, items], axis=1) @ kernel + bias)[:, 0]
    return np.mean((ratings - BATCH[features.RATING].numpy()) ** 2)


@pytest.mark.parametrize(("retrieval", "rating"), [(1.0, 1.0), (0.25, 3.0)])
def test_loss_is_the_weighted_sum(retrieval, rating):
    model = build(retrieval_weight=retrieval, rating_weight=rating)
    expected = retrieval * TwoTower.compute_loss(model, BATCH, True)
    expected += rating * squared_error(model)
    np.testing.assert_allclose(model.compute_loss(BATCH, training=True), expected, rtol=1e-5)


def test_weights_are_positive():
    with pytest.raises(UserError, match="rating_weight: expected > 0, got 0"):
        MultiTaskConfig(rating_weight=0.0)
