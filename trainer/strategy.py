"""The distribution strategy that the configuration names; called by trainer.run."""

from __future__ import annotations

import tensorflow as tf

from schema.errors import UserError


def make_strategy(name: str, batch_size: int) -> tf.distribute.Strategy:
    """Builds the strategy for this machine's devices.

    Args:
      name: one of trainer.config.STRATEGIES.
      batch_size: global batch size, which the replicas share evenly.

    Returns:
      The strategy; for "none" TensorFlow's default one.

    Raises:
      UserError: the batch cannot be shared evenly.
    """
    if name == "none":
        return tf.distribute.get_strategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UserError(
            f"trainer.batch_size: expected a multiple of the {replicas} replicas, got {batch_size}."
        )
    return strategy
