"""Reproducible draws of items, and work on users x items some users at a time.

Called by trainer.ranking and trainer.serving. Nothing here depends on the
batch a user happens to be in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

# Scores held at a time: few enough for the some tens of floats a pair that a
# pairwise model keeps while it scores, enough to make a loop's step cheap.
_PAIRS_AT_A_TIME = 1 << 16

# Results, each [end - start, ...], of the users start .. end - 1.
Chunk = Callable[[tf.Tensor, tf.Tensor], Sequence[tf.Tensor]]


def fingerprint(ids: tf.Tensor) -> tf.Tensor:
    """Stable 64-bit hashes of ids (FarmHash Fingerprint64).

    Args:
      ids: string [N].

    Returns:
      int64 [N].
    """
    return tf.bitcast(tf.fingerprint(ids), tf.int64)


def draw(
    users: tf.Tensor, items: tf.Tensor, allowed: tf.Tensor, *, count: int, seed: int
) -> tf.Tensor:
    """Draws items for each user, uniformly without replacement.

    Every (seed, user, item) has a pseudo-random key; the allowed items with the
    largest keys are taken. A draw depends on nothing but those three and what
    is allowed: neither the batch, the order of rows nor that of the catalog
    changes it.

    Args:
      users: int64 [B], `fingerprint` of the user ids.
      items: int64 [C], `fingerprint` of the item ids.
      allowed: bool [B, C].
      count: items to draw; a user with fewer allowed ones gets them all.
      seed: of all draws.

    Returns:
      bool [B, C], true at the drawn items.
    """
    size = tf.size(items)
    keys = tf.where(allowed, _keys(users, items, seed), -1)
    best, where = tf.math.top_k(keys, k=tf.minimum(count, size), sorted=False)
    return marked(tf.RaggedTensor.from_tensor(tf.where(best >= 0, where, -1)), size)


def by_chunks(
    rows: Chunk,
    count: tf.Tensor,
    items: tf.Tensor,
    dtypes: Sequence[tf.DType],
) -> list[tf.Tensor]:
    """Computes something for `count` users against `items` items, some users at a time.

    Args:
      rows: gives the results of a range (start, end) of users.
      count: number of users, a scalar.
      items: number of items, a scalar.
      dtypes: of the results.

    Returns:
      The results, each [count, ...].
    """
    step = tf.maximum(1, _PAIRS_AT_A_TIME // tf.maximum(items, 1))
    # One step at least, so that an empty batch has its columns too.
    steps = tf.maximum(1, (count + step - 1) // step)
    results = [tf.TensorArray(dtype, size=steps, infer_shape=False) for dtype in dtypes]

    def body(index: tf.Tensor, filled: list[tf.TensorArray]) -> tuple[tf.Tensor, list]:
        start = index * step
        values = rows(start, tf.minimum(start + step, count))
        return index + 1, [a.write(index, v) for a, v in zip(filled, values, strict=True)]

    _, results = tf.while_loop(
        lambda index, _: index < steps, body, (0, results), parallel_iterations=1
    )
    return [result.concat() for result in results]


def marked(positions: tf.RaggedTensor, items: tf.Tensor) -> tf.Tensor:
    """Flags each row's positions.

    Args:
      positions: int32 ragged [B, None]; -1 marks nothing.
      items: number C of catalog items, a scalar.

    Returns:
      bool [B, C].
    """
    rows = tf.cast(positions.value_rowids(), tf.int32)
    pairs = tf.stack([rows, positions.values], axis=1)
    pairs = tf.boolean_mask(pairs, positions.values >= 0)
    nowhere = tf.zeros([tf.cast(positions.nrows(), tf.int32), items], tf.bool)
    return tf.tensor_scatter_nd_update(nowhere, pairs, tf.ones([tf.shape(pairs)[0]], tf.bool))


def _keys(users: tf.Tensor, items: tf.Tensor, seed: int) -> tf.Tensor:
    """Pseudo-random int32 [B, C] >= 0 out of 64-bit fingerprints and a seed."""
    low, high = tf.unstack(tf.bitcast(users, tf.uint32)[:, tf.newaxis, :], axis=2)
    item_low, item_high = tf.unstack(tf.bitcast(items, tf.uint32)[tf.newaxis], axis=2)
    low = _mixed(tf.bitwise.bitwise_xor(low, tf.constant(seed & 0xFFFFFFFF, tf.uint32)))
    mixed = _mixed(tf.bitwise.bitwise_xor(low, item_low))
    mixed = _mixed(tf.bitwise.bitwise_xor(mixed + item_high, high))
    return tf.bitcast(tf.bitwise.right_shift(mixed, tf.constant(1, tf.uint32)), tf.int32)


def _mixed(value: tf.Tensor) -> tf.Tensor:
    """Finalizer of MurmurHash3, 32 bits (Appleby, public domain)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        shifted = tf.bitwise.right_shift(value, tf.constant(shift, tf.uint32))
        value = tf.bitwise.bitwise_xor(value, shifted) * tf.constant(factor, tf.uint32)
    shifted = tf.bitwise.right_shift(value, tf.constant(16, tf.uint32))
    return tf.bitwise.bitwise_xor(value, shifted)
