"""A model that gives known ranks and slices, to measure without scores."""

import numpy as np
import tensorflow as tf

from schema import features


class KnownRanks:
    """Looks a row's outputs up by its user id.

    Args:
      users: ids.
      ranks: outputs of `rank`, [users] or [users, T or K].
      slices: texts [users, V] by feature; "" is none.
    """

    def __init__(self, users, ranks, slices):
        self._index = {user.encode(): number for number, user in enumerate(users)}
        self._ranks = {name: np.asarray(values) for name, values in ranks.items()}
        self._slices = {name: np.asarray(values) for name, values in slices.items()}

    def _at(self, examples, columns):
        spec = {features.USER_ID: tf.io.FixedLenFeature([], tf.string)}
        users = tf.io.parse_example(examples, spec)[features.USER_ID].numpy()
        index = [self._index[user] for user in users]
        return {name: tf.constant(values[index]) for name, values in columns.items()}

    def rank(self, examples):
        return self._at(examples, self._ranks)

    def rank_and_slice(self, examples):
        return self.rank(examples), self._at(examples, self._slices)


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
