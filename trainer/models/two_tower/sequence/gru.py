"""GRU4Rec: Hidasi et al. 2016, "Session-based Recommendations with Recurrent Neural Networks"."""

from __future__ import annotations

import tensorflow as tf

from trainer.config.sequence import SequenceConfig
from trainer.models.two_tower.sequence.base import Encoder


class GRU(Encoder):
    """Run gated recurrent units over item vectors, a layer upon the other.

    Args:
      settings: layers and dropout.
      limit: positions at the most; not used, as the units know no positions.
      width: D, of items and outputs.
    """

    def __init__(self, settings: SequenceConfig, limit: int, width: int) -> None:
        super().__init__("gru", width)
        self._dropout = tf.keras.layers.Dropout(settings.dropout)
        self._units = [
            tf.keras.layers.GRU(width, return_sequences=True) for _ in range(settings.blocks)
        ]

    def call(self, items: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Encoder."""
        outputs = items
        for unit in self._units:
            outputs = unit(self._dropout(outputs, training=training))
        return outputs
