"""What a replica of a strategy knows of itself and of the others.

Called by trainer.models.two_tower, inside a training step.
"""

from __future__ import annotations

import tensorflow as tf


def number() -> tf.Tensor:
    """Number of the replica that this is traced for, from 0; int64 scalar."""
    context = tf.distribute.get_replica_context()
    return tf.cast(0 if context is None else context.replica_id_in_sync_group, tf.int64)


def gathered(values: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas, this one's own before those of the others.

    Gradients flow back to the replica that a row is from.

    Args:
      values: [B, ...], of one shape on all replicas; inside `Strategy.run`.

    Returns:
      [replicas * B, ...].
    """
    context = tf.distribute.get_replica_context()
    count = context.num_replicas_in_sync
    if count == 1:
        return values
    rows = values.shape[0]
    everyone = context.all_gather(values, axis=0)
    everyone = tf.ensure_shape(
        everyone, [None if rows is None else count * rows, *values.shape[1:]]
    )
    return tf.roll(
        everyone, -tf.cast(context.replica_id_in_sync_group, tf.int32) * tf.shape(values)[0], axis=0
    )
