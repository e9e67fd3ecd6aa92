"""A model whose scores are a table, and users who hold out several items."""

import numpy as np
import tensorflow as tf

from tests.support import planted
from tests.support.toy_model import Untrained
from trainer.data.interactions import ABSENT

USERS, ITEMS = 23, 40


class Fixed(Untrained):
    """Scores, which are ratings too, given as a table; counts the users that it encodes."""

    predicts_ratings = True

    def __init__(self, table):
        super().__init__(None)
        self.table = tf.constant(table, tf.float32)
        self.encoded = tf.Variable(0, trainable=False)

    def user_embedding(self, users, training=False):
        self.encoded.assign_add(tf.size(users["user_index"]))
        return tf.gather(self.table, users["user_index"])

    def item_embedding(self, positions, training=False):
        return tf.cast(positions, tf.float32)[:, None]

    def score(self, user_embeddings, item_embeddings):
        return tf.gather(user_embeddings, tf.cast(item_embeddings[..., 0], tf.int32), batch_dims=1)

    def score_all(self, user_embeddings, item_embeddings):
        return tf.gather(user_embeddings, tf.cast(item_embeddings[:, 0], tf.int32), axis=1)

    def predict_ratings(self, user_embeddings, item_embeddings):
        return tf.gather(user_embeddings, tf.cast(item_embeddings[:, 0], tf.int32), batch_dims=1)


def make_table():
    """Few different scores, so that many are equal."""
    return np.random.default_rng(1).integers(0, 9, (USERS, ITEMS)).astype(np.float32)


def make_histories():
    """Six interactions a user and up to ten targets, one of which the catalog lacks."""
    random = np.random.default_rng(0)
    drawn = [random.permutation(ITEMS)[:16] for _ in range(USERS)]
    targets = [part[6 : 6 + user % 11].tolist() for user, part in enumerate(drawn)]
    targets[4].insert(1, ABSENT)
    return planted.make_histories([part[:6] for part in drawn], targets)
