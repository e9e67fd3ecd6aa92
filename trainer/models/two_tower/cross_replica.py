"""What a replica of a strategy knows of itself and of the others."""

from __future__ import annotations

import tensorflow as tf


def number() -> tf.Tensor:
    """Return the number of the replica that this is traced for, from 0; int64 scalar."""
    context = tf.distribute.get_replica_context()
    return tf.cast(0 if context is None else context.replica_id_in_sync_group, tf.int64)


def gathered(values: tf.Tensor) -> tf.Tensor:
    """Return the rows of all replicas, this one's own before those of the others.

    A sum over replicas of tensors in which each fills its own rows, so gradients
    flow back to the replica that a row is from. tf.distribute's all_gather does
    not know the device of its operand where a process has one replica (TF 2.16).

    Args:
      values: [B, ...], of one static shape on all replicas; inside `Strategy.run`.

    Returns:
      [replicas * B, ...], of the same dtype.
    """
    context = tf.distribute.get_replica_context()
    count = context.num_replicas_in_sync
    if count == 1:
        return values
    own = tf.cast(context.replica_id_in_sync_group, tf.int32)
    summed = values
    if values.dtype.is_integer:
        # Those of 32 bits lie where collective operations of GPUs do not find
        # them; those of TPUs take no others.
        on_tpu = isinstance(context.strategy, tf.distribute.TPUStrategy)
        summed = tf.cast(values, tf.int32 if on_tpu else tf.int64)
    slot = tf.reshape(tf.one_hot(own, count, dtype=summed.dtype), [count, *[1] * values.shape.rank])
    everyone = context.all_reduce(tf.distribute.ReduceOp.SUM, slot * summed[None])
    rows = tf.roll(everyone, -own, axis=0)
    return tf.cast(tf.reshape(rows, [-1, *values.shape[1:]]), values.dtype)
