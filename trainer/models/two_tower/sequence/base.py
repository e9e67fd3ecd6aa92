"""What every encoder of ordered histories is."""

from __future__ import annotations

import abc

import tensorflow as tf


class Encoder(tf.keras.layers.Layer, abc.ABC):
    """Turn each position of a history into a vector of what stands there and before.

    No position's output depends on a later one. What pads a history stands
    behind it, so it changes nothing.

    Args:
      name: of the layer.
      width: D, of the items' vectors and the outputs.

    Attributes:
      width: as given.
    """

    def __init__(self, name: str, width: int) -> None:
        super().__init__(name=name)
        self.width = width

    @abc.abstractmethod
    def call(self, items: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Encode histories.

        Args:
          items: float32 [B, L, D], vectors of the items in the order of time.
          training: whether dropout acts.

        Returns:
          float32 [B, L, D].
        """


def earlier(length: tf.Tensor) -> tf.Tensor:
    """Tell which positions each position may see: itself and those before.

    Args:
      length: number L of positions.

    Returns:
      bool [L, L].
    """
    places = tf.range(length)
    return places[:, tf.newaxis] >= places


class Heads:
    """Multiply queries, keys and values head by head.

    Products have one axis for histories and heads together: on CPUs XLA hands a product
    of two such axes with something added to oneDNN, which takes a hundred times as long.

    Args:
      count: number H of heads.
      width: D, of all of them.
    """

    def __init__(self, count: int, width: int) -> None:
        self._count = count
        self._width = width

    def scores(self, queries: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        """Return the dot products of queries and keys.

        Args:
          queries: float32 [B, L, D].
          keys: float32 [B, L, D].

        Returns:
          float32 [B, H, L, L].
        """
        products = tf.matmul(self._apart(queries), self._apart(keys), transpose_b=True)
        length = tf.shape(queries)[1]
        return tf.reshape(products, [-1, self._count, length, length])

    def values(self, weights: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Add up values by weights.

        Args:
          weights: float32 [B, H, L, L].
          values: float32 [B, L, D].

        Returns:
          float32 [B, L, D].
        """
        length = tf.shape(values)[1]
        found = tf.matmul(tf.reshape(weights, [-1, length, length]), self._apart(values))
        found = tf.reshape(found, [-1, self._count, length, self._width // self._count])
        return tf.reshape(tf.transpose(found, [0, 2, 1, 3]), [-1, length, self._width])

    def _apart(self, part: tf.Tensor) -> tf.Tensor:
        """Split [B, L, D] into [B * H, L, D / H]."""
        length, width = tf.shape(part)[1], self._width // self._count
        split = tf.reshape(part, [-1, length, self._count, width])
        return tf.reshape(tf.transpose(split, [0, 2, 1, 3]), [-1, length, width])
