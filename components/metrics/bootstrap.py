"""Bootstrap over users, the same resamples for everything that is compared.

Every resample gives a user a Poisson(1) weight that is a function of the user
alone (Chamandy et al. 2012, "Estimating Uncertainty for Massive Data Streams"),
so model, popularity and baseline are weighted alike, in every slice, on any
sharding: differences are paired.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Sequence

import numpy as np

from components import splitmix64

RESAMPLES = 1000
CONFIDENCE = 0.95

# Each 64-bit hash gives four 16-bit uniforms.
_DRAWS_PER_HASH = 4
_USERS_AT_A_TIME = 4096


Rows = tuple[np.ndarray, np.ndarray]


def ends(resampled: np.ndarray) -> np.ndarray:
    """Find the ends of an interval that holds CONFIDENCE of the resamples.

    Args:
      resampled: float64 [R, M], M quantities of R resamples; NaN where a
        resample has no figure.

    Returns:
      float64 [2, M], lower and upper ends; NaN without any figure.
    """
    tail = (1 - CONFIDENCE) / 2
    if not np.isnan(resampled).any():
        return np.quantile(resampled, [tail, 1 - tail], axis=0)
    found = np.full((2, resampled.shape[1]), np.nan)
    for column, figures in enumerate(resampled.T):
        figures = figures[~np.isnan(figures)]
        if figures.size:
            found[:, column] = np.quantile(figures, [tail, 1 - tail])
    return found


def means(quantities: Sequence[Rows], users: np.ndarray) -> np.ndarray:
    """Compute weighted means of resamples; a resample has all rows of a user equally often.

    Args:
      quantities: M pairs of values and weights of N rows, float64 [N] each.
      users: int64 [N], fingerprints of the rows' users.

    Returns:
      float64 [R, M]; NaN where no row of a resample counts. The last resample
      is the sample itself.
    """
    weights: dict[bytes, int] = {}
    columns: list[np.ndarray] = []
    which = np.asarray([_column_of(weights, columns, weight) for _, weight in quantities])
    columns += [values * weight for values, weight in quantities]
    sums = _sums(np.stack(columns, axis=1), users)
    totals = sums[:, which]
    resampled = np.full(totals.shape, np.nan)
    np.divide(sums[:, len(weights) :], totals, out=resampled, where=totals > 0)
    return resampled


def _column_of(known: dict[bytes, int], columns: list[np.ndarray], weight: np.ndarray) -> int:
    """Find or add the column of a weight; most metrics share one."""
    digest = hashlib.sha256(weight.tobytes()).digest()
    if digest not in known:
        known[digest] = len(columns)
        columns.append(weight)
    return known[digest]


def _sums(columns: np.ndarray, users: np.ndarray) -> np.ndarray:
    """Sum float64 [N, Q] over resamples, and over the sample: float64 [R, Q]."""
    sums = np.zeros((RESAMPLES + 1, columns.shape[1]))
    sums[-1] = columns.sum(axis=0)
    for start in range(0, len(users), _USERS_AT_A_TIME):
        rows = slice(start, start + _USERS_AT_A_TIME)
        sums[:-1] += _weights(users[rows]) @ columns[rows].astype(np.float32)
    return sums


def _weights(users: np.ndarray) -> np.ndarray:
    """Draw Poisson(1) counts, float32 [RESAMPLES, N]."""
    counters = np.arange(1, RESAMPLES // _DRAWS_PER_HASH + 1, dtype=np.uint64)
    hashes = splitmix64.finalize(
        users.astype(np.uint64)[:, np.newaxis] + counters * splitmix64.GAMMA
    )
    return _counts()[hashes.view(np.uint16)].T


@functools.cache
def _counts() -> np.ndarray:
    """Tabulate the Poisson(1) count of each 16-bit uniform, float32 [65536]."""
    probabilities = [math.exp(-1) / math.factorial(count) for count in range(10)]
    bounds = np.cumsum(probabilities) * 65536
    return np.searchsorted(bounds, np.arange(65536) + 0.5, side="right").astype(np.float32)
