"""The two points in time that cut all interactions into train, valid and test.

They need the times of all users at once: every partition counts its distinct
timestamps, one worker puts them together (16 bytes each).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.example_gen.config import IngestConfig
from schema import features
from schema.errors import UserError

_COUNT = "count"


class TimeCutoffs(NamedTuple):
    """Hold the points in time at which splits begin.

    Attributes:
      valid: first timestamp of valid; train has what is older.
      test: first timestamp of test.
    """

    valid: int
    test: int


def count_times(table: pa.Table) -> pa.Table:
    """Count the interactions of each timestamp.

    Args:
      table: interactions of a partition.

    Returns:
      `timestamp` and how often it occurs, int64 both.
    """
    times, counts = np.unique(table.column(features.TIMESTAMP).to_numpy(), return_counts=True)
    return pa.table({features.TIMESTAMP: times, _COUNT: counts})


def find(counted: pa.Table, config: IngestConfig) -> TimeCutoffs:
    """Cut off the newest `test_share`, then the newest `valid_share` of the others.

    Interactions at one timestamp are never parted, so a split can be larger than
    its share, never smaller (but for rounding).

    Args:
      counted: what `count_times` gave of all partitions, one after the other.
      config: the shares.

    Returns:
      The cutoffs.

    Raises:
      UserError: nothing is left before a cut.
    """
    times, where = np.unique(counted.column(features.TIMESTAMP).to_numpy(), return_inverse=True)
    counts = np.bincount(where, counted.column(_COUNT).to_numpy()).astype(np.int64)
    test = _cut(counts, config.test_share, features.TEST)
    valid = _cut(counts[:test], config.valid_share, features.VALID)
    return TimeCutoffs(int(times[valid]), int(times[test]))


def _cut(counts: np.ndarray, share: float, name: str) -> int:
    """Find the number of the newest time from which on there is at least a share of all."""
    wanted = max(1, math.floor(share * counts.sum() + 0.5))
    newest = np.cumsum(counts[::-1])
    cut = len(counts) - 1 - int(np.searchsorted(newest, wanted))
    if cut == 0:
        raise UserError(
            f"split=temporal, {name}_share={share:g}: nothing is older than the newest {wanted} of "
            f"{counts.sum()} interactions, which have {len(counts)} different timestamps; expected "
            f"a smaller share or timestamps that tell interactions apart."
        )
    return cut
