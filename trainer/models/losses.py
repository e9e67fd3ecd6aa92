"""Losses of a positive against its sampled negatives.

All take float32 [B, 1 + n] scores, the positive's first; all but `log_losses`
give a mean, a float32 scalar.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def cross_entropy(scores: tf.Tensor) -> tf.Tensor:
    """Average the log losses of the pairs (He et al. 2017, equation 7).

    Args:
      scores: float32 [B, 1 + n], the positive's first.

    Returns:
      The mean over all pairs.
    """
    return tf.reduce_mean(log_losses(scores))


def log_losses(scores: tf.Tensor) -> tf.Tensor:
    """Compute the log loss of each pair, for models that add more to it before the mean.

    Args:
      scores: float32 [B, 1 + n], the positive's first.

    Returns:
      float32 [B, 1 + n].
    """
    labels = tf.concat([tf.ones_like(scores[:, :1]), tf.zeros_like(scores[:, 1:])], axis=1)
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=scores)


def max_margin(scores: tf.Tensor, margin: float) -> tf.Tensor:
    """Average the hinge on the lead of the positive: max(0, margin - s+ + s-).

    Args:
      scores: float32 [B, 1 + n], the positive's first.
      margin: the lead that suffices.

    Returns:
      The mean over all negatives.
    """
    return tf.reduce_mean(tf.nn.relu(margin - scores[:, :1] + scores[:, 1:]))


def bpr(scores: tf.Tensor) -> tf.Tensor:
    """Average Bayesian personalized ranking: -log sigmoid(s+ - s-).

    Rendle et al. 2009, section 4.1.

    Args:
      scores: float32 [B, 1 + n], the positive's first.

    Returns:
      The mean over all negatives.
    """
    return tf.reduce_mean(tf.nn.softplus(scores[:, 1:] - scores[:, :1]))


# Of scores and `margin`, by the names of trainer.config.two_tower.LOSSES; the softmax, which needs
# no sampled negatives, is the model's own.
LOSSES: dict[str, Callable[[tf.Tensor, float], tf.Tensor]] = {
    "cross_entropy": lambda scores, margin: cross_entropy(scores),
    "max_margin": max_margin,
    "bpr": lambda scores, margin: bpr(scores),
}
