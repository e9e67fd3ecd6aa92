"""SASRec: Kang and McAuley 2018, "Self-Attentive Sequential Recommendation"."""

from __future__ import annotations

import tensorflow as tf

from trainer.config.sequence import SequenceConfig
from trainer.models.two_tower.sequence.base import Encoder, Heads, earlier

# Before the softmax, what may not be seen: exp makes it 0.
_UNSEEN = -1e9


class SASRec(Encoder):
    """Stack causal self-attention and feed-forward layers over item vectors and positions.

    Each layer's input is normalized, not its output (Xiong et al. 2020, "On Layer
    Normalization in the Transformer Architecture"). Positions are counted from the
    window's beginning.

    Args:
      settings: blocks, heads and dropout.
      limit: positions at the most.
      width: D, of items and outputs.
    """

    def __init__(self, settings: SequenceConfig, limit: int, width: int) -> None:
        super().__init__("sasrec", width)
        self._positions = self.add_weight(
            name="positions",
            shape=(limit, width),
            initializer=tf.keras.initializers.TruncatedNormal(stddev=0.02),
        )
        self._dropout = tf.keras.layers.Dropout(settings.dropout)
        self._blocks = [
            SASRecBlock(settings, width, name=f"block{number}") for number in range(settings.blocks)
        ]
        self._normalize = tf.keras.layers.LayerNormalization(epsilon=1e-6)

    def call(self, items: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Encoder; equation 1, then 2 to 6 a block."""
        placed = items * self.width**0.5 + self._positions[: tf.shape(items)[1]]
        outputs = self._dropout(placed, training=training)
        seen = earlier(tf.shape(items)[1])
        for block in self._blocks:
            outputs = block(outputs, seen, training=training)
        return self._normalize(outputs)


class SASRecBlock(tf.keras.layers.Layer):
    """Attend to earlier positions, then transform each position by two layers.

    Args:
      settings: heads and dropout.
      width: D.
      name: of the block.
    """

    def __init__(self, settings: SequenceConfig, width: int, name: str) -> None:
        super().__init__(name=name)
        layers = tf.keras.layers
        self._normalize_attention = layers.LayerNormalization(epsilon=1e-6)
        self._normalize_transform = layers.LayerNormalization(epsilon=1e-6)
        self._heads = Heads(settings.heads, width)
        self._scale = (width // settings.heads) ** -0.5
        self._project = layers.Dense(3 * width)
        self._combine = layers.Dense(width)
        self._transform = tf.keras.Sequential(
            [
                layers.Dense(width, activation="relu"),
                layers.Dropout(settings.dropout),
                layers.Dense(width),
            ]
        )
        self._dropout = layers.Dropout(settings.dropout)

    def call(self, inputs: tf.Tensor, seen: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Run the block.

        Args:
          inputs: float32 [B, L, D].
          seen: bool [L, L], which positions each position may look at.
          training: whether dropout acts.

        Returns:
          float32 [B, L, D].
        """
        normal = self._normalize_attention(inputs)
        query, key, value = tf.split(self._project(normal), 3, axis=2)
        scores = tf.where(seen, self._heads.scores(query * self._scale, key), _UNSEEN)
        found = self._combine(self._heads.values(tf.nn.softmax(scores), value))
        outputs = inputs + self._dropout(found, training=training)
        found = self._transform(self._normalize_transform(outputs), training=training)
        return outputs + self._dropout(found, training=training)
