"""Stable hashes of ids: where a user's rows go, and how ties are ordered.

Only the distinct ids of a table are hashed, rows are looked up.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from components import splitmix64

_HASH_BITS = 64


def hash_ids(ids: pa.Array, seed: int | None = None) -> np.ndarray:
    """Hash ids alike on every machine and in every run.

    Args:
      ids: distinct ids, string [N].
      seed: gives another family of hashes; None for the one without.

    Returns:
      The first 8 bytes of each id's BLAKE2b, uint64 [N].
    """
    key = b"" if seed is None else seed.to_bytes(_HASH_BITS // 8, "little")
    digests = (
        hashlib.blake2b(text.encode("utf-8"), digest_size=_HASH_BITS // 8, key=key).digest()
        for text in ids.to_pylist()
    )
    return np.frombuffer(b"".join(digests), dtype="<u8")


def partition_of(hashes: np.ndarray, partitions: int) -> np.ndarray:
    """Find the contiguous range of hash space that each hash falls in.

    Because ranges are contiguous, rows sorted by hash within partitions and
    partitions read in order make one order, whatever their number.

    Args:
      hashes: uint64 [N].
      partitions: into how many ranges hash space is cut; below 2^32.

    Returns:
      int64 [N] in [0, partitions).
    """
    half = np.uint64(_HASH_BITS // 2)
    return (((hashes >> half) * np.uint64(partitions)) >> half).astype(np.int64)


def mix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Hash pairs of hashes; for equal `first`, unequal `second` never collide.

    Args:
      first: uint64 [N].
      second: uint64 [N].

    Returns:
      uint64 [N], the sum of an odd multiple of `first` and of `second` through
      SplitMix64's finalizer, a bijection.
    """
    return splitmix64.finalize(first * splitmix64.GAMMA + second)
