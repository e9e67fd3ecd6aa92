"""HSTU, the sequential transducer of Zhai et al. 2024.

"Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for
Generative Recommendations", equations 1 to 3.
"""

from __future__ import annotations

import tensorflow as tf

from trainer.config.sequence import SequenceConfig
from trainer.models.two_tower.sequence.base import Encoder, Heads, earlier


class HSTU(Encoder):
    """Stack HSTU layers over item vectors.

    The bias of the attention is a function of the distance of two positions,
    shared by all layers. Attention is divided by the number of positions that it
    runs over, where the paper takes the longest history's, so that neither the
    padding nor what comes later has a part in it.

    Args:
      settings: layers, heads and dropout.
      limit: positions at the most.
      width: D, of items and outputs.
    """

    def __init__(self, settings: SequenceConfig, limit: int, width: int) -> None:
        super().__init__("hstu", width)
        self._dropout = tf.keras.layers.Dropout(settings.dropout)
        self._bias = self.add_weight(
            name="position_bias",
            shape=(limit, settings.heads),
            initializer=tf.keras.initializers.TruncatedNormal(stddev=0.02),
        )
        self._blocks = [
            HSTULayer(settings, width, name=f"layer{number}") for number in range(settings.blocks)
        ]

    def call(self, items: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Encoder."""
        length = tf.shape(items)[1]
        places = tf.range(length)
        distance = tf.maximum(places[:, tf.newaxis] - places, 0)
        bias = tf.transpose(tf.gather(self._bias, distance), [2, 0, 1])
        seen = tf.cast(earlier(length), items.dtype)
        share = seen / tf.reduce_sum(seen, axis=1, keepdims=True)
        outputs = self._dropout(items * self.width**0.5, training=training)
        for block in self._blocks:
            outputs = block(outputs, bias, share, training=training)
        return outputs


class HSTULayer(tf.keras.layers.Layer):
    """Aggregate values by pointwise attention, gated: f2(norm(A(X) V(X)) * U(X)) + X.

    Args:
      settings: heads and dropout.
      width: D.
      name: of the layer.
    """

    def __init__(self, settings: SequenceConfig, width: int, name: str) -> None:
        super().__init__(name=name)
        self._heads = Heads(settings.heads, width)
        self._normalize_input = tf.keras.layers.LayerNormalization(epsilon=1e-6)
        self._normalize_output = tf.keras.layers.LayerNormalization(epsilon=1e-6)
        self._project = tf.keras.layers.Dense(4 * width, activation="silu", use_bias=False)
        self._combine = tf.keras.layers.Dense(width)
        self._dropout = tf.keras.layers.Dropout(settings.dropout)

    def call(
        self, inputs: tf.Tensor, bias: tf.Tensor, share: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Run the layer.

        Args:
          inputs: float32 [B, L, D].
          bias: float32 [H, L, L], added to the attention of each position to each.
          share: float32 [L, L], factors on it; 0 where a position may not look.
          training: whether dropout acts.

        Returns:
          float32 [B, L, D].
        """
        gate, value, query, key = tf.split(self._project(self._normalize_input(inputs)), 4, axis=2)
        attention = tf.nn.silu(self._heads.scores(query, key) + bias) * share
        found = self._heads.values(attention, value)
        gated = self._dropout(self._normalize_output(found) * gate, training=training)
        return inputs + self._combine(gated)
