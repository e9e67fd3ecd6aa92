"""The encoders of ordered histories by name, and what users are embedded by them."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from trainer.config.sequence import SequenceConfig
from trainer.config.two_tower import TwoTowerConfig
from trainer.models.two_tower.sequence.base import Encoder
from trainer.models.two_tower.sequence.gru import GRU
from trainer.models.two_tower.sequence.hstu import HSTU
from trainer.models.two_tower.sequence.sasrec import SASRec
from trainer.ops import draws

# By the names of trainer.config.sequence.SEQUENCE_ENCODERS.
ENCODERS: dict[str, Callable[[SequenceConfig, int, int], Encoder]] = {
    "gru": GRU,
    "sasrec": SASRec,
    "hstu": HSTU,
}

# Histories that are encoded at a time outside of training, so that attention's matrices
# stay small.
_AT_A_TIME = 32


def make_encoder(settings: TwoTowerConfig) -> Encoder | None:
    """Make the encoder that a configuration names.

    Args:
      settings: of the towers.

    Returns:
      The encoder; None where no order is read.
    """
    if not settings.reads_sequence:
        return None
    make = ENCODERS[settings.history_encoder]
    return make(settings.sequence, settings.history_limit, settings.width)


def last_outputs(
    encoder: Encoder, embed: Callable[[tf.Tensor], tf.Tensor], histories: tf.Tensor
) -> tf.Tensor:
    """Encode histories by what their newest positions give.

    Histories of like length are encoded together, and no further than the longest of these.

    Args:
      encoder: of the histories.
      embed: gives positions in the catalog, int32 [K], their vectors, float32 [K, D].
      histories: int32 [B, L], positions in the catalog in the order of time, filled
        up with negative ones.

    Returns:
      float32 [B, D], zeros for an empty history.
    """
    lengths = tf.reduce_sum(tf.cast(histories >= 0, tf.int32), axis=1)
    order = tf.argsort(lengths, stable=True)

    def some(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
        rows = order[start:end]
        own = tf.gather(lengths, rows)
        longest = tf.maximum(tf.reduce_max(own), 1)
        items = tf.maximum(tf.gather(histories, rows)[:, :longest], 0)
        vectors = embed(tf.reshape(items, [-1]))
        vectors = tf.reshape(vectors, [end - start, longest, vectors.shape[-1]])
        newest = tf.gather(encoder(vectors), tf.maximum(own - 1, 0), batch_dims=1)
        return [tf.where(own[:, tf.newaxis] > 0, newest, 0.0)]

    (outputs,) = draws.by_chunks(some, tf.size(order), 1, [tf.float32], _AT_A_TIME)
    return tf.ensure_shape(tf.gather(outputs, tf.argsort(order)), [None, encoder.width])
