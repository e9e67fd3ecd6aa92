"""A two-tower model of four users and six items, and batches for it."""

import numpy as np
import tensorflow as tf

from tests.support import planted
from trainer.config.two_tower import TwoTowerConfig
from trainer.data.batches import POSITIVE, ROW, user_tensors
from trainer.models.base import DataSizes
from trainer.models.two_tower.model import TwoTower

ITEMS = 6
POSITIVES = [5, 0, 5, 2]
COUNTS = np.asarray([40, 30, 10, 10, 5, 5])
PROBABILITY = (COUNTS / 100).astype(np.float32)


def build(catalog=None, seed=0, **overrides):
    """Four users and one out-of-vocabulary row."""
    tf.keras.utils.set_random_seed(3)
    settings = TwoTowerConfig(**{"embedding_dim": 4, "feature_dim": 2, **overrides})
    catalog = (catalog or planted.make_catalog(ITEMS)).with_counts(COUNTS)
    return TwoTower(settings, DataSizes(5, (3, 8, 2), catalog, unknown_users=1), seed)


def batch(users, positives):
    context = tf.ones([len(users), 4], tf.int32)
    index = tf.constant(users)
    return {**user_tensors(index, context), ROW: index, POSITIVE: tf.constant(positives)}
