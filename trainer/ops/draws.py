"""Reproducible draws of items, and work on users x items some users at a time.

Nothing here depends on the batch a user happens to be in: every random number
is a hash of a seed, the user and an item or the number of the draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from trainer.ops import long_rows

# Scores held at a time: few enough to stay in a processor's last cache, enough to
# make matrix products of them and a loop's step cheap.
PAIRS_AT_A_TIME = 1 << 23
# The same for models that keep some hundred floats a pair while they score.
WIDE_PAIRS_AT_A_TIME = 1 << 16

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
    users: tf.Tensor,
    items: tf.Tensor,
    allowed: tf.Tensor,
    *,
    count: int,
    seed: int,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Draw items for each user without replacement, uniformly or by weight.

    Every (seed, user, item) has a pseudo-random key; the allowed items with the
    largest keys are taken. By weight, item after item is drawn with the chance
    w_i / (sum of the weights that are left): the keys are arrivals of a race of
    exponential clocks, -log(1 - u_i) / w_i, and the first to arrive are taken
    (Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir",
    whose u^(1/w) orders items alike). A draw depends on nothing but these
    numbers: neither the batch nor the order of rows or catalog changes it.

    Args:
      users: int64 [B], `fingerprint` of the user ids.
      items: int64 [C], `fingerprint` of the item ids.
      allowed: bool [B, C].
      count: items to draw; a user with fewer allowed ones gets them all.
      seed: of all draws.
      weights: float32 [C]; an item of weight 0 is never drawn. None draws
        uniformly.

    Returns:
      int32 [B, min(count, C)], positions in no order, -1 where there are fewer.
    """
    if weights is None:
        best, where = tf.cond(
            tf.size(items) >= long_rows.LONG,
            lambda: _largest_of_many(users, items, allowed, count, seed),
            lambda: _largest(tf.where(allowed, _keys(users, items, seed), -1), count),
        )
        return tf.where(best >= 0, where, -1)
    keys = _keys(users, items, seed)
    arrivals = _clocks(keys) / tf.maximum(weights, 1e-30)
    taking_part = allowed & (weights > 0)
    arrivals = tf.where(taking_part, -arrivals, -float("inf"))
    best, where = _largest(arrivals, count)
    return tf.where(best > -float("inf"), where, -1)


def gumbel(users: tf.Tensor, items: tf.Tensor, seed: tf.Tensor | int) -> tf.Tensor:
    """Draw standard Gumbel noise for each user and item.

    The k items with the largest logit / t + noise are a sample of k without
    replacement, item after item with chances in proportion to exp(logit / t)
    (Kool et al. 2019, "Stochastic Beams and Where to Find Them", section 2.3).
    The noise is -log(E) with E the exponential clocks of `draw`.

    Args:
      users: int64 [B], `fingerprint` of the user ids.
      items: int64 [C], `fingerprint` of the item ids.
      seed: of all draws; a tensor is an int32 scalar.

    Returns:
      float32 [B, C].
    """
    return -tf.math.log(_clocks(_keys(users, items, seed)))


def draw_repeatedly(
    users: tf.Tensor, excluded: tf.Tensor, sums: tf.Tensor, *, count: int, seed: int
) -> tf.Tensor:
    """Draw items for each user with replacement, by integer weights.

    Draw j of a user is a number x that is uniform below the weight of all items
    but the excluded ones, a hash of seed, user and j. Inverting the cumulated
    weights gives the item: x first skips the weights of the excluded items that
    lie before it, so excluding renormalizes exactly.

    Args:
      users: int64 [B], `fingerprint` of the user ids.
      excluded: int32 [B, E], positions in ascending order, each once, padded at
        the end with C.
      sums: int64 [C + 1], sums of the weights of the items before each position.
      count: number of draws.
      seed: of all draws.

    Returns:
      int32 [B, count], positions, -1 where no item has a weight.
    """
    size = tf.size(sums) - 1
    weights = tf.gather(sums, tf.minimum(excluded + 1, size)) - tf.gather(sums, excluded)
    skipped = tf.pad(tf.cumsum(weights, axis=1), [[0, 0], [1, 0]])
    total = sums[-1] - skipped[:, -1:]
    # Weight of what may be drawn before each excluded item.
    before = tf.gather(sums, excluded) - skipped[:, :-1]
    numbers = tf.range(count, dtype=tf.int64) + 1
    high, low = (tf.cast(_keys(users, numbers * factor, seed), tf.int64) for factor in _STRIDES)
    share = tf.cast(high * 2**31 + low, tf.float64) / 2.0**62
    drawn = tf.cast(share * tf.cast(total, tf.float64), tf.int64)
    drawn = tf.minimum(drawn, tf.maximum(total - 1, 0))
    drawn += tf.gather(skipped, tf.searchsorted(before, drawn, side="right"), batch_dims=1)
    flat = tf.searchsorted(sums[1:], tf.reshape(drawn, [-1]), side="right")
    return tf.where(total > 0, tf.reshape(flat, tf.shape(drawn)), -1)


def by_chunks(
    rows: Chunk,
    count: tf.Tensor,
    items: tf.Tensor,
    dtypes: Sequence[tf.DType],
    pairs: int = PAIRS_AT_A_TIME,
) -> list[tf.Tensor]:
    """Compute something for `count` users against `items` items, some users at a time.

    Args:
      rows: gives the results of a range (start, end) of users.
      count: number of users, a scalar.
      items: number of items, a scalar.
      dtypes: of the results.
      pairs: users times items at a time; a single user may have more.

    Returns:
      The results, each [count, ...].
    """
    most = tf.maximum(1, pairs // tf.maximum(items, 1))
    # One step at least, so that an empty batch has its columns too.
    steps = tf.maximum(1, (count + most - 1) // most)
    # Steps of one size, where there can be: what is compiled is compiled by shapes.
    step = (count + steps - 1) // steps
    steps = tf.maximum(1, (count + step - 1) // tf.maximum(step, 1))
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
    """Flag each row's positions.

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


def _largest(keys: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    best, where = tf.math.top_k(keys, k=tf.minimum(count, tf.shape(keys)[1]), sorted=False)
    return best, where


def _largest_of_many(
    users: tf.Tensor, items: tf.Tensor, allowed: tf.Tensor, count: int, seed: int
) -> tuple[tf.Tensor, tf.Tensor]:
    keys = _allowed_keys(users, items, allowed, tf.constant(seed & 0xFFFFFFFF, tf.uint32), count)
    best, where = long_rows.largest(keys, count)
    size = tf.size(items)
    return best[:, :size], where[:, :size]


@long_rows.one_loop
def _allowed_keys(
    users: tf.Tensor, items: tf.Tensor, allowed: tf.Tensor, seed: tf.Tensor, count: int
) -> tf.Tensor:
    """Return the keys, -1 of what is not allowed, padded to be searched for `count` of them."""
    return long_rows.padded(tf.where(allowed, _keys(users, items, seed), -1), count, -1)


# Odd, so that they spread the numbers of draws over all 64 bits: the golden
# ratio of SplitMix64 and a multiplier of its finalizer, as signed integers.
_STRIDES = (-0x61C8864680B583EB, -0x40A7B892E31B1A47)


def _clocks(keys: tf.Tensor) -> tf.Tensor:
    """Turn uniform keys into exponentially distributed numbers, float32 > 0."""
    # Small shares, which come first in a race, keep their bits as floats.
    shares = (tf.cast(keys, tf.float32) + 0.5) * (2.0**-31)
    return -tf.math.log1p(-tf.minimum(shares, 1 - 2.0**-24))


def _keys(users: tf.Tensor, items: tf.Tensor, seed: tf.Tensor | int) -> tf.Tensor:
    """Pseudo-random int32 [B, C] >= 0 out of 64-bit fingerprints and a seed."""
    if isinstance(seed, int):
        seed = tf.constant(seed & 0xFFFFFFFF, tf.uint32)
    low, high = tf.unstack(tf.bitcast(users, tf.uint32)[:, tf.newaxis, :], axis=2)
    item_low, item_high = tf.unstack(tf.bitcast(items, tf.uint32)[tf.newaxis], axis=2)
    low = _mixed(tf.bitwise.bitwise_xor(low, tf.bitcast(seed, tf.uint32)))
    mixed = _mixed(tf.bitwise.bitwise_xor(low, item_low))
    mixed = _mixed(tf.bitwise.bitwise_xor(mixed + item_high, high))
    return tf.bitcast(tf.bitwise.right_shift(mixed, tf.constant(1, tf.uint32)), tf.int32)


def _mixed(value: tf.Tensor) -> tf.Tensor:
    """Finalize as MurmurHash3 does, 32 bits (Appleby, public domain)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        shifted = tf.bitwise.right_shift(value, tf.constant(shift, tf.uint32))
        value = tf.bitwise.bitwise_xor(value, shifted) * tf.constant(factor, tf.uint32)
    shifted = tf.bitwise.right_shift(value, tf.constant(16, tf.uint32))
    return tf.bitwise.bitwise_xor(value, shifted)
