"""Bootstrap over users, the same resamples for everything that is compared.

Called by components.metrics.ranks. Every resample gives a user a Poisson(1)
weight that is a function of the user alone (Chamandy et al. 2012, "Estimating
Uncertainty for Massive Data Streams"), so model, popularity and baseline are
weighted alike, in every slice, on any sharding: differences are paired.
"""

from __future__ import annotations

import functools
import math

import numpy as np

RESAMPLES = 1000
CONFIDENCE = 0.95

# Each 64-bit hash gives four 16-bit uniforms.
_DRAWS_PER_HASH = 4
_USERS_AT_A_TIME = 4096


def interval(values: np.ndarray, users: np.ndarray) -> np.ndarray:
    """Percentile interval of means over users.

    Args:
      values: float64 [N, M], M quantities a row; N at least 1.
      users: int64 [N], fingerprints of the rows' users.

    Returns:
      float64 [2, M], lower and upper ends.
    """
    return ends(means(values, users))


def ends(resampled: np.ndarray) -> np.ndarray:
    """The ends of an interval that holds CONFIDENCE of the resamples.

    Args:
      resampled: float64 [R, M], M quantities of R resamples.

    Returns:
      float64 [2, M], lower and upper ends.
    """
    tail = (1 - CONFIDENCE) / 2
    return np.quantile(resampled, [tail, 1 - tail], axis=0)


def means(values: np.ndarray, users: np.ndarray) -> np.ndarray:
    """Means of resamples; all rows of a user are in a resample equally often.

    Args:
      values: float64 [N, M], M quantities a row; N at least 1.
      users: int64 [N], fingerprints of the rows' users.

    Returns:
      float64 [R, M]. A resample that no user is in is left out, and the whole
      sample always is one, so R is at least 1.
    """
    totals = values.sum(axis=0)[np.newaxis], np.asarray([float(len(values))])
    sums, sizes = np.zeros((RESAMPLES, values.shape[1])), np.zeros(RESAMPLES)
    for start in range(0, len(users), _USERS_AT_A_TIME):
        rows = slice(start, start + _USERS_AT_A_TIME)
        weights = _weights(users[rows])
        sums += weights @ values[rows].astype(np.float32)
        sizes += weights.sum(axis=1, dtype=np.float64)
    sums, sizes = np.concatenate([sums, totals[0]]), np.concatenate([sizes, totals[1]])
    resampled: np.ndarray = sums[sizes > 0] / sizes[sizes > 0, np.newaxis]
    return resampled


def _weights(users: np.ndarray) -> np.ndarray:
    """float32 [RESAMPLES, N] of Poisson(1) counts."""
    counters = np.arange(1, RESAMPLES // _DRAWS_PER_HASH + 1, dtype=np.uint64)
    hashes = _mixed(users.astype(np.uint64)[:, np.newaxis] + counters * _GOLDEN)
    return _counts()[hashes.view(np.uint16)].T


# Steele et al. 2014, "Fast Splittable Pseudorandom Number Generators".
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64's finalizer."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))


@functools.cache
def _counts() -> np.ndarray:
    """float32 [65536], the Poisson(1) count of each 16-bit uniform."""
    probabilities = [math.exp(-1) / math.factorial(count) for count in range(10)]
    bounds = np.cumsum(probabilities) * 65536
    return np.searchsorted(bounds, np.arange(65536) + 0.5, side="right").astype(np.float32)
