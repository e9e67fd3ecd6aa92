"""Which split each interaction falls into, one function a kind of split.

What an interaction falls into depends on its user's interactions, the settings
and the data's points in time, never on the order of rows or on what else lies
in the partition.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from components.example_gen.config import (
    LEAVE_ONE_OUT,
    RANDOM,
    TEMPORAL,
    USER_RATIO,
    IngestConfig,
)
from components.example_gen.splits.time_cutoffs import TimeCutoffs
from components.example_gen.splits.user_segments import UserSegments
from schema import features

TRAIN, VALID, TEST = range(len(features.INTERACTION_SPLITS))
# Of a dataset's own held-out row that nobody can be asked for.
UNUSED = len(features.INTERACTION_SPLITS)

# Enough for one interaction in each split.
_MIN_INTERACTIONS = 3


@dataclasses.dataclass(frozen=True)
class SplitInputs:
    """Hold what a partition knows besides interactions.

    Attributes:
      users: user features, `user_id` and some of features.USER_FEATURES; None
        where the dataset has none.
      candidates: components.formats.reading.schemas.CANDIDATES_SCHEMA, or None; of data
        with a held-out file, which make a row ask for one target.
      brings_held_out: whether the dataset has a held-out file.
      cutoffs: of the temporal split, None for the others.
    """

    users: pa.Table | None = None
    candidates: pa.Table | None = None
    brings_held_out: bool = False
    cutoffs: TimeCutoffs | None = None


def leave_one_out(segments: UserSegments, config: IngestConfig, inputs: SplitInputs) -> np.ndarray:
    """Put the last interaction into test, the one before into valid.

    A user with fewer than three interactions, or without a held-out row where
    the dataset brings them, is in train only.

    Args:
      segments: the interactions.
      config: not read.
      inputs: tell whether there is a held-out file.

    Returns:
      See SPLITS.
    """
    asked = segments.lengths >= _MIN_INTERACTIONS
    if inputs.brings_held_out:
        asked &= segments.last_held_out
    split_of = np.zeros(len(segments.owner), np.int64)
    split_of[segments.ends[asked] - 1] = TEST
    split_of[segments.ends[asked] - 2] = VALID
    split_of[segments.ends[segments.last_held_out & ~asked] - 1] = UNUSED
    return split_of


def temporal(segments: UserSegments, config: IngestConfig, inputs: SplitInputs) -> np.ndarray:
    """Put what comes after one point in time into test, after another into valid.

    Args:
      segments: the interactions.
      config: not read.
      inputs: bring the points in time.

    Returns:
      See SPLITS.
    """
    cutoffs = inputs.cutoffs
    assert cutoffs is not None
    return np.searchsorted([cutoffs.valid, cutoffs.test], segments.timestamps, side="right")


def user_ratio(segments: UserSegments, config: IngestConfig, inputs: SplitInputs) -> np.ndarray:
    """Hold out a share of each user's interactions, the newest or random ones.

    Shares are rounded to the next whole number, and to one interaction at least
    in each split. A user with fewer than three interactions is in train only.

    Args:
      segments: the interactions.
      config: shares, draw and seed.
      inputs: not read.

    Returns:
      See SPLITS.
    """
    test = _part(config.test_share, segments.lengths, segments.lengths - 2)
    valid = _part(config.valid_share, segments.lengths - test, segments.lengths - test - 1)
    # Place of each interaction in its user's list, counted from the list's end.
    place = segments.ends[segments.owner] - 1 - np.arange(len(segments.owner))
    if config.draw == RANDOM:
        shuffled = np.lexsort((_hashes(segments, config), segments.owner))
        place[shuffled] = place.copy()
    split_of = np.where(place < (test + valid)[segments.owner], VALID, TRAIN)
    split_of[place < test[segments.owner]] = TEST
    split_of[(segments.lengths < _MIN_INTERACTIONS)[segments.owner]] = TRAIN
    return split_of


def random(segments: UserSegments, config: IngestConfig, inputs: SplitInputs) -> np.ndarray:
    """Hold out a share of all interactions; a user with nothing left in train keeps all there.

    Args:
      segments: the interactions.
      config: shares and seed.
      inputs: not read.

    Returns:
      See SPLITS.
    """
    uniform = _hashes(segments, config).astype(np.float64) / 2.0**64
    train_share = (1 - config.test_share) * (1 - config.valid_share)
    split_of = np.searchsorted([train_share, 1 - config.test_share], uniform, side="right")
    trained = segments.per_user(split_of == TRAIN) > 0
    return np.where(trained[segments.owner], split_of, TRAIN)


# By the names of components.example_gen.config.SPLITS: from the interactions, `split`'s options
# and what else the partition knows, the number of each interaction's split in
# features.INTERACTION_SPLITS, or UNUSED; int64 [rows].
SPLITS: dict[str, Callable[[UserSegments, IngestConfig, SplitInputs], np.ndarray]] = {
    LEAVE_ONE_OUT: leave_one_out,
    TEMPORAL: temporal,
    USER_RATIO: user_ratio,
    RANDOM: random,
}


def _hashes(segments: UserSegments, config: IngestConfig) -> np.ndarray:
    # Another seed than that of the order of equal timestamps: what is held out
    # must not be what comes last.
    return segments.pair_hashes(config.seed + 1)


def _part(share: float, of: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Take a share of some numbers, rounded; at least 1 and at most `most`."""
    rounded = np.floor(share * of + 0.5).astype(np.int64)
    return np.minimum(np.maximum(rounded, 1), most)
