"""A SavedModel whose `rank` signature gives known outputs, to evaluate without a model."""

import numpy as np
import tensorflow as tf

from schema import features

_STRINGS = tf.TensorSpec([None], tf.string)


class KnownRanks(tf.Module):
    """Looks a row's outputs up by its user id.

    Args:
      users: ids.
      ranks: outputs of `rank`, [users] or [users, T or K].
      user_slices: of that signature, one text a user.
      target_slices: of that signature, a list of texts a user, padded with "".
    """

    def __init__(self, users, ranks, user_slices, target_slices):
        super().__init__()
        keys = tf.constant([user.encode() for user in users])
        self._index = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(keys, tf.range(len(users))), -1
        )
        self._ranks = {name: tf.constant(values) for name, values in ranks.items()}
        self._user_slices = {n: tf.constant(v)[:, tf.newaxis] for n, v in user_slices.items()}
        self._target_slices = {n: tf.constant(v) for n, v in target_slices.items()}

    def _at(self, examples, columns):
        spec = {features.USER_ID: tf.io.FixedLenFeature([], tf.string)}
        index = self._index.lookup(tf.io.parse_example(examples, spec)[features.USER_ID])
        return {name: tf.gather(values, index) for name, values in columns.items()}

    @tf.function(input_signature=[_STRINGS])
    def rank(self, examples):
        return self._at(examples, self._ranks)

    @tf.function(input_signature=[_STRINGS])
    def user_slices(self, examples):
        return self._at(examples, self._user_slices)

    @tf.function(input_signature=[_STRINGS])
    def target_slices(self, examples):
        return self._at(examples, self._target_slices)

    def save(self, path):
        signatures = {
            name: getattr(self, name) for name in ("rank", "user_slices", "target_slices")
        }
        tf.saved_model.save(self, path, signatures)


def protocol_outputs(name, greater, popularity, length):
    """Outputs of one protocol for one target a row."""

    def column(values):
        return np.asarray(values, np.int32)[:, np.newaxis]

    size = len(greater)
    return {
        f"{name}_greater": column(greater),
        f"{name}_ties": column(np.zeros(size)),
        f"popularity_{name}_greater": column(popularity),
        f"popularity_{name}_ties": column(np.zeros(size)),
        f"{name}_candidates": np.full(size, length, np.int32),
        f"{name}_weight": np.ones(size, np.float32),
    }
