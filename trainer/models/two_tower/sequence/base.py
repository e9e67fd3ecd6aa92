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
