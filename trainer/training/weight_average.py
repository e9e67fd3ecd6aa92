"""A moving average of the weights, which ranks better than the weights of any one step."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


class WeightAverage(tf.Module):
    """Follow weights in training by their exponential moving average.

    Polyak and Juditsky 1992, "Acceleration of Stochastic Approximation by
    Averaging"; after t steps the decay is min(decay, (1 + t) / (10 + t)), as
    tf.train.ExponentialMovingAverage has it, so that the first weights are soon
    forgotten.

    Args:
      variables: the weights; averages are made where the present strategy has them.
      decay: of the average, in each step.

    Attributes:
      averages: in the order of the variables.
    """

    def __init__(self, variables: Sequence[tf.Variable], decay: float) -> None:
        super().__init__()
        self._followed = list(variables)
        self._decay = decay
        self.averages = [
            tf.Variable(
                variable.read_value(),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
            for variable in variables
        ]

    def start(self) -> None:
        """Let the average be the weights as they are."""
        for average, variable in zip(self.averages, self._followed, strict=True):
            average.assign(variable.read_value())

    def update(self, step: tf.Tensor) -> None:
        """Move the average on.

        Args:
          step: number of steps that the weights have behind them, an integer scalar.
        """
        steps = tf.cast(step, tf.float32)
        decay = tf.minimum(self._decay, (1.0 + steps) / (10.0 + steps))
        for average, variable in zip(self.averages, self._followed, strict=True):
            average.assign(decay * average + (1.0 - decay) * variable)
