"""Counts and largest values of rows as long as a large catalog, each in one pass.

Plain operations would write an array of the rows' size after each step. Here XLA
makes one loop of the steps, over parts of a row that lie one after the other, which
it turns into vector instructions; it reduces nothing itself, which it does number by
number. Shorter rows take plain operations: compiling would take longer.
"""

from __future__ import annotations

import functools
import math

import tensorflow as tf

# From how many columns on rows are long.
LONG = 1 << 13
# Parts of a row that are counted in one loop; below 2^15, so that the counts fit.
_PARTS = 16
_EQUAL = 1 << 16

# Makes a function of elementwise operations one loop.
one_loop = functools.partial(tf.function, jit_compile=True, autograph=False)


def count_up_to(values: tf.Tensor, bound: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Count the values of long rows that are at most, and that equal, a number.

    Args:
      values: float32 [B, N]; NaN is neither.
      bound: float32 [B]; nothing is at most NaN.

    Returns:
      Both, int32 [B].
    """
    counts = _counts(values, bound[:, tf.newaxis])
    return (
        tf.reduce_sum(tf.bitwise.bitwise_and(counts, _EQUAL - 1), axis=1),
        tf.reduce_sum(tf.bitwise.right_shift(counts, 16), axis=1),
    )


def largest(values: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Take the k largest values of each row; of equal ones, those that come first.

    They lie in the k blocks with the largest maxima: each block that is not among
    these has k before it that hold something larger, or as large and before.

    Args:
      values: [B, N], N being a multiple of `block_size(k)`; no NaN.
      k: how many.

    Returns:
      The values in descending order, and their columns, int32: [B, min(k, N)].
    """
    size = block_size(k)
    blocks = tf.reshape(values, [tf.shape(values)[0], tf.shape(values)[1] // size, size])
    maxima = tf.reduce_max(blocks, axis=2)
    _, chosen = tf.math.top_k(maxima, tf.minimum(k, tf.shape(maxima)[1]))
    # Among equal values top_k takes the first, which must be that of the row.
    chosen = tf.sort(chosen, axis=1)
    found = tf.gather(blocks, chosen, batch_dims=1)
    found = tf.reshape(found, [tf.shape(found)[0], tf.shape(found)[1] * size])
    best, where = tf.math.top_k(found, tf.minimum(k, tf.shape(found)[1]))
    return best, tf.gather(chosen, where // size, batch_dims=1) * size + where % size


def block_size(k: int) -> int:
    """Return the columns of a block, where k of the blocks are searched: a power of 2."""
    # Maxima and columns of chosen blocks are about as many in rows of this length.
    return 1 << max(1, round(math.log2(100_000 / k) / 2))


def padded(values: tf.Tensor, k: int, nothing: float) -> tf.Tensor:
    """Pad rows as `largest` needs them.

    Args:
      values: [B, N].
      k: how many are taken.
      nothing: less than any value that counts.

    Returns:
      [B, N or somewhat more].
    """
    missing = -tf.shape(values)[1] % block_size(k)
    return tf.pad(values, [[0, 0], [0, missing]], constant_values=nothing)


def best_positions(scores: tf.Tensor, left_out: tf.Tensor, k: int) -> tf.Tensor:
    """Take the k best items of long rows as trainer.ops.lookup.best_items does.

    Args:
      scores: float32 [B, N]; a NaN is never taken.
      left_out: bool [B, N].
      k: length of the lists, at most N.

    Returns:
      int32 [B, k], -1 where no item is left.
    """
    best, positions = largest(_candidates(scores, left_out, k), k)
    return tf.where(best > -math.inf, positions, -1)


@one_loop
def _candidates(scores: tf.Tensor, left_out: tf.Tensor, k: int) -> tf.Tensor:
    kept = tf.where(left_out | tf.math.is_nan(scores), -math.inf, scores)
    return padded(kept, k, -math.inf)


@one_loop
def _counts(values: tf.Tensor, bound: tf.Tensor) -> tf.Tensor:
    """Count in each column of the parts, which stand below each other: int32 [B, N / _PARTS].

    The lower half of a number counts values up to the bound, the upper those equal to it.
    """
    width = (tf.shape(values)[1] + _PARTS - 1) // _PARTS
    missing = width * _PARTS - tf.shape(values)[1]
    values = tf.pad(values, [[0, 0], [0, missing]], constant_values=float("nan"))
    counts = tf.zeros([tf.shape(values)[0], width], tf.int32)
    for part in range(_PARTS):
        own = values[:, part * width : (part + 1) * width]
        counts += tf.where(own < bound, 1, tf.where(tf.equal(own, bound), 1 + _EQUAL, 0))
    return counts
