"""Optimizers and learning-rate schedules by their settings.

Adam, Adagrad and SGD are those of Keras, which apply a sparse gradient row by
row, except that Adam decays the moments of all rows. LazyAdam does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from trainer.config.optimizer import OptimizerConfig
from trainer.config.trainer import TrainerConfig

# `auto` keeps Adagrad's gradients sparse where the largest table has this many
# times the rows that a batch touches at the most. Measured on two cores with
# rows of 40 floats and 5,120 of them a batch, a dense step, compiled into one
# pass, takes 2.5 ms at 2 times, 3.3 at 8 and 18 at 32, a sparse one 2.5, 2.6 and
# 3.5. With SGD, whose Keras version walks over its momentum even where that is
# 0, and with Adam, which decays all moments, sparse gradients gained nothing.
SPARSE_FROM = 8


class Schedule(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Warm up, then follow a constant, cosine or exponential curve.

    With n steps after the warm-up's w of T steps: cosine is f + (1 - f) (1 +
    cos(pi n / (T - w))) / 2 with f = final_share (Loshchilov and Hutter 2017,
    equation 5), exponential decay_rate ** (n / decay_steps), with the exponent
    rounded down on a staircase. During the warm-up step s has the share (s + 1) / w.

    Args:
      peak: the learning rate that the shares are of.
      settings: the curve.
      epoch_steps: steps an epoch.
      total_steps: steps of all epochs; where patience ends a training early,
        so does the curve.
    """

    def __init__(
        self, peak: float, settings: OptimizerConfig, epoch_steps: int, total_steps: int
    ) -> None:
        self._peak = peak
        self._settings = settings
        share = math.ceil(settings.warmup_share * total_steps)
        self._warmup = float(max(settings.warmup_steps, share))
        self._rest = max(total_steps - self._warmup, 1.0)
        self._decay_steps = float(settings.decay_steps or epoch_steps)

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the learning rate of a step, counted from 0; float32 scalar."""
        step = tf.cast(step, tf.float32)
        since = tf.maximum(step - self._warmup, 0.0)
        share = SCHEDULES[self._settings.schedule](self, since)
        if self._warmup:
            share *= tf.minimum((step + 1.0) / self._warmup, 1.0)
        return self._peak * share

    def constant(self, since: tf.Tensor) -> tf.Tensor:
        """Return the share of the peak, 1, whatever the steps since the warm-up."""
        return tf.constant(1.0)

    def cosine(self, since: tf.Tensor) -> tf.Tensor:
        """Return the share of the peak, float32 scalar, by the steps since the warm-up."""
        wave = (1.0 + tf.cos(math.pi * tf.minimum(since / self._rest, 1.0))) / 2.0
        return self._settings.final_share + (1.0 - self._settings.final_share) * wave

    def exponential(self, since: tf.Tensor) -> tf.Tensor:
        """Return the share of the peak, float32 scalar, by the steps since the warm-up."""
        times = since / self._decay_steps
        return self._settings.decay_rate ** (tf.floor(times) if self._settings.staircase else times)


# By the names of trainer.config.optimizer.SCHEDULES.
SCHEDULES: dict[str, Callable[[Schedule, tf.Tensor], tf.Tensor]] = {
    "constant": Schedule.constant,
    "cosine": Schedule.cosine,
    "exponential": Schedule.exponential,
}


class LazyAdam(tf.keras.optimizers.Adam):
    """Run Adam, but leave rows of a sparse gradient alone while they get none.

    A row whose gradient in a batch is all zero keeps its weights and moments;
    other rows, and all weights with dense gradients, follow Kingma and Ba 2015,
    algorithm 1, with the bias correction of the global step.
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Apply one gradient.

        Args:
          gradient: dense, or IndexedSlices without repeated rows, as
            apply_gradients hands them over.
          variable: what it is of.
        """
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable)
            return
        live = tf.reduce_any(gradient.values != 0, axis=-1)
        rows = tf.boolean_mask(gradient.indices, live)
        values = tf.boolean_mask(gradient.values, live)
        slot = self._index_dict[self._var_key(variable)]
        moments, squares = self._momentums[slot], self._velocities[slot]
        step = tf.cast(self.iterations + 1, variable.dtype)
        rate = tf.cast(self.learning_rate, variable.dtype)
        rate = rate * tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        moment = self.beta_1 * tf.gather(moments, rows) + (1 - self.beta_1) * values
        square = self.beta_2 * tf.gather(squares, rows) + (1 - self.beta_2) * tf.square(values)
        moments.scatter_update(tf.IndexedSlices(moment, rows))
        squares.scatter_update(tf.IndexedSlices(square, rows))
        change = -rate * moment / (tf.sqrt(square) + self.epsilon)
        variable.scatter_add(tf.IndexedSlices(change, rows))


def _adam(settings: OptimizerConfig, **common: Any) -> tf.keras.optimizers.Optimizer:
    return tf.keras.optimizers.Adam(**_moments(settings), **common)


def _lazy_adam(settings: OptimizerConfig, **common: Any) -> tf.keras.optimizers.Optimizer:
    return LazyAdam(**_moments(settings), **common)


def _moments(settings: OptimizerConfig) -> dict[str, float]:
    return {"beta_1": settings.beta1, "beta_2": settings.beta2, "epsilon": settings.epsilon}


def _adagrad(settings: OptimizerConfig, **common: Any) -> tf.keras.optimizers.Optimizer:
    return tf.keras.optimizers.Adagrad(
        initial_accumulator_value=settings.initial_accumulator, epsilon=settings.epsilon, **common
    )


def _sgd(settings: OptimizerConfig, **common: Any) -> tf.keras.optimizers.Optimizer:
    return tf.keras.optimizers.SGD(**common)


# By the names of trainer.config.optimizer.OPTIMIZERS.
OPTIMIZERS: dict[str, Callable[..., tf.keras.optimizers.Optimizer]] = {
    "adam": _adam,
    "lazy_adam": _lazy_adam,
    "adagrad": _adagrad,
    "sgd": _sgd,
}


def make_optimizer(config: TrainerConfig, epoch_steps: int) -> tf.keras.optimizers.Optimizer:
    """Build the optimizer that the configuration names.

    Args:
      config: optimizer, learning rate, precision, and the epochs that the
        schedule spans.
      epoch_steps: steps an epoch.

    Returns:
      The optimizer; with float16 it scales losses and leaves out the steps
      whose gradients overflowed.
    """
    settings = config.optimizer
    rate = config.learning_rate
    if settings.schedule != "constant" or settings.warmup_steps or settings.warmup_share:
        rate = Schedule(rate, settings, epoch_steps, epoch_steps * config.epochs)
    optimizer = OPTIMIZERS[settings.name](
        settings, learning_rate=rate, global_clipnorm=settings.clip_norm or None
    )
    if config.precision != "float16":
        return optimizer
    if settings.loss_scale:
        return tf.keras.mixed_precision.LossScaleOptimizer(
            optimizer, dynamic=False, initial_scale=settings.loss_scale
        )
    return tf.keras.mixed_precision.LossScaleOptimizer(optimizer)


def keeps_sparse(config: TrainerConfig, table_rows: int, batch_rows: int) -> bool:
    """Tell whether gradients of tables stay sparse.

    Args:
      config: optimizer and strategy.
      table_rows: of the largest table.
      batch_rows: how many of them a batch touches at the most.

    Returns:
      What embedding_gradients says; `auto` is sparse with lazy_adam, and with
      adagrad from SPARSE_FROM on, but not with clipping or under a strategy.
    """
    settings = config.optimizer
    if settings.sparse_only or settings.embedding_gradients == "dense":
        return settings.sparse_only
    if settings.name != "adagrad" or settings.clip_norm or config.strategy != "none":
        return False
    return table_rows >= SPARSE_FROM * batch_rows
