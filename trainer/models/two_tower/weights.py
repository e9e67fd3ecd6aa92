"""Weights of the two towers that are no layer's."""

from __future__ import annotations

import math

import tensorflow as tf


def step_counter(model: tf.keras.Model) -> tf.Variable:
    """Make the number of steps that a model was trained for.

    Args:
      model: owns it as a weight, so that a resumed training goes on with the same draws.

    Returns:
      int64 scalar.
    """
    return model.add_weight(
        name="steps",
        shape=(),
        dtype=tf.int64,
        initializer="zeros",
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


def log_temperature(model: tf.keras.Model, first: float) -> tf.Variable:
    """Make the logarithm of a learned temperature, which so stays positive.

    Args:
      model: owns it as a weight.
      first: the temperature that training starts from.

    Returns:
      float32 scalar.
    """
    return model.add_weight(
        name="log_temperature",
        shape=(),
        initializer=tf.keras.initializers.Constant(math.log(first)),
    )
