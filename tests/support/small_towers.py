"""A two-tower model of four users and six items, and batches for it."""

import numpy as np
import tensorflow as tf

from tests.support import planted
from trainer.config.two_tower import TwoTowerConfig
from trainer.data.batches import POSITIVE, user_tensors
from trainer.data.catalog import CatalogTensors
from trainer.models.two_tower.model import TwoTower

ITEMS = 6
POSITIVES = [5, 0, 5, 2]
PROBABILITY = np.asarray([0.4, 0.3, 0.1, 0.1, 0.05, 0.05], np.float32)


def build(catalog=None, seed=0, **overrides):
    """Four users and one out-of-vocabulary row."""
    tf.keras.utils.set_random_seed(3)
    settings = TwoTowerConfig(**{"embedding_dim": 4, "feature_dim": 2, **overrides})
    tensors = CatalogTensors(catalog or planted.make_catalog(ITEMS))
    return TwoTower(settings, 5, (3, 8, 2), tensors, PROBABILITY, seed, 1)


def batch(users, positives):
    context = tf.ones([len(users), 4], tf.int32)
    return {**user_tensors(tf.constant(users), context), POSITIVE: tf.constant(positives)}
