"""The softmax over the whole catalog for every position of a batch of histories.

XLA compiles it. Scores are kept for some histories at a time, and serve loss
and gradients in one pass (the idea of Wijmans et al. 2024, "Cut your losses in
large-vocabulary language models").
"""

from __future__ import annotations

import tensorflow as tf

# Parts of a batch whose scores are kept at a time. oneDNN, which XLA gives the sum of the
# parts' gradients to as one operation, takes no more than 32 terms.
MOST_TILES = 16


def cross_entropy(
    queries: tf.Tensor, items: tf.Tensor, targets: tf.Tensor, bounded: bool
) -> tf.Tensor:
    """Add up the cross entropies of picking each position's target out of the catalog.

    Args:
      queries: float32 [B, L, D], B known; a dot product with an item is a logit.
      items: float32 [C, D].
      targets: int32 [B, L], positions in the catalog; negative ones do not count.
      bounded: whether no logit comes near 88, beyond which exp overflows.

    Returns:
      float32 scalar.
    """
    counted = tf.cast(targets >= 0, tf.float32)
    own = tf.reduce_sum(queries * tf.gather(items, tf.maximum(targets, 0)), axis=2)

    @tf.custom_gradient
    def log_sums(queries: tf.Tensor, items: tf.Tensor) -> tuple:
        total, to_queries, to_items = _over_tiles(queries, items, counted, bounded)

        def gradient(upstream: tf.Tensor) -> tuple:
            return upstream * to_queries, upstream * to_items

        return total, gradient

    return log_sums(queries, items) - tf.reduce_sum(counted * own)


def _over_tiles(
    queries: tf.Tensor, items: tf.Tensor, counted: tf.Tensor, bounded: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Sum counted * log(sum over the items of exp(logit)); return it and its gradients."""
    histories = queries.shape[0]
    tiles = max(n for n in range(1, min(histories, MOST_TILES) + 1) if histories % n == 0)
    parts = zip(tf.split(queries, tiles), tf.split(counted, tiles), strict=True)
    found = [
        _tile(tf.reshape(part, [-1, queries.shape[2]]), items, tf.reshape(weight, [-1]), bounded)
        for part, weight in parts
    ]
    totals, to_queries, to_items = zip(*found, strict=True)
    to_queries = tf.reshape(tf.concat(to_queries, axis=0), tf.shape(queries))
    return tf.add_n(totals), to_queries, tf.add_n(to_items)


def _tile(
    queries: tf.Tensor, items: tf.Tensor, weight: tf.Tensor, bounded: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Do so for some queries, float32 [Q, D]."""
    scores = tf.matmul(queries, items, transpose_b=True)
    shifts = tf.zeros_like(weight) if bounded else tf.reduce_max(scores, axis=1)
    terms = tf.exp(scores if bounded else scores - shifts[:, tf.newaxis])
    sums = tf.reduce_sum(terms, axis=1)
    total = tf.reduce_sum(weight * (tf.math.log(sums) + shifts))
    share = (weight / sums)[:, tf.newaxis]
    to_items = tf.matmul(terms, share * queries, transpose_a=True)
    return total, share * tf.matmul(terms, items), to_items
