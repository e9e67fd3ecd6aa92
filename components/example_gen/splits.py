"""Held-out interactions: a partition's ordered interactions to the rows of each split.

Leave-one-out: `test` asks for a user's last interaction given all before it, `valid` for the
one before given all before that, and `train` has what is older than both. A
user with fewer than three interactions, or without a held-out row where the
dataset brings them, is in `train` only, with everything but held-out rows.

Random: each interaction falls into a split by a seeded hash of (user, item). A
held-out one is a row of its own, so that a row stays one query; its history is
what the user has in train, for `test` also in valid. A user with nothing left in
train keeps everything there. A history is repeated for each held-out interaction
of its user, so held-out splits grow with the square of histories' lengths.
Called by `executor`; list columns are cut out of whole columns, there is no
loop over users.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen import counts, ids, tables
from components.example_gen.config import RANDOM, IngestConfig
from components.example_gen.history import HELD_OUT
from schema import features

Columns = dict[str, pa.Array]

_MIN_INTERACTIONS = 3
_KEY_SEPARATOR = "\x1f"
_TARGETS = {
    features.ITEM_ID: features.TARGET_ITEM_ID,
    features.RATING: features.TARGET_RATING,
    features.TIMESTAMP: features.TARGET_TIMESTAMP,
}


@dataclasses.dataclass(frozen=True)
class Side:
    """What a partition knows besides interactions.

    Attributes:
      users: user features, `user_id` and some of features.USER_FEATURES; None
        where the dataset has none.
      candidates: components.formats.base.CANDIDATES_SCHEMA, or None.
      brings_held_out: whether the dataset has a held-out file.
    """

    users: pa.Table | None = None
    candidates: pa.Table | None = None
    brings_held_out: bool = False


def split(
    table: pa.Table, side: Side, config: IngestConfig
) -> tuple[dict[str, Columns], dict[str, int]]:
    """Builds the rows of each split.

    Args:
      table: marked interactions, whole users, in `history.arrange`'s order.
      side: see Side.
      config: which of the two splits; RANDOM takes no held-out rows of the
        dataset's own.

    Returns:
      For each of features.INTERACTION_SPLITS the list columns of its rows, users
      in the order of `table`; and counts.

    Raises:
      UserError: a user, or a user's candidates, described twice.
    """
    runs = _Runs(table)
    if config.split == RANDOM:
        return _random(runs, side, config)
    last_held_out = table.column(HELD_OUT).to_numpy()[runs.ends - 1]
    asked = runs.lengths >= _MIN_INTERACTIONS
    if side.brings_held_out:
        asked &= last_held_out
    train_lengths = runs.lengths - np.where(asked, 2, last_held_out)
    trained = np.flatnonzero(train_lengths > 0)
    held = np.flatnonzero(asked)
    rows = {
        features.TRAIN: runs.rows(trained, train_lengths[trained]),
        features.VALID: runs.rows(held, runs.lengths[held] - 2, targets=True),
        features.TEST: runs.rows(held, runs.lengths[held] - 1, targets=True),
    }
    for name, users in zip(features.INTERACTION_SPLITS, (trained, held, held), strict=True):
        rows[name].update(_user_features(runs.user_ids(users), side.users))
    if side.candidates is not None:
        test = rows[features.TEST]
        test[features.CANDIDATE_ITEM_ID] = _candidates(
            runs.user_ids(held), test[features.TARGET_ITEM_ID].flatten(), side.candidates
        )
    unused = int((last_held_out & ~asked).sum())
    return rows, {
        counts.INTERACTIONS: table.num_rows - unused,
        counts.USERS: len(trained),
        counts.USERS_IN_TRAIN_ONLY: len(trained) - len(held),
        counts.HELD_OUT_UNUSED: unused,
    }


def _random(
    runs: _Runs, side: Side, config: IngestConfig
) -> tuple[dict[str, Columns], dict[str, int]]:
    split_of = _drawn(runs, config)
    rows = {}
    trained = np.flatnonzero(np.bincount(runs.owner, split_of == 0, len(runs.lengths)) > 0)
    for number, name in enumerate(features.INTERACTION_SPLITS):
        # A history has what lies in the splits before; train has itself.
        known = np.flatnonzero(split_of < max(number, 1))
        targets = np.flatnonzero(split_of == number) if number else None
        users = trained if targets is None else runs.owner[targets]
        lengths = np.bincount(runs.owner[known], minlength=len(runs.lengths))
        first = np.cumsum(lengths) - lengths
        taken = known[_within(first[users], lengths[users])]
        rows[name] = runs.columns(users, taken, lengths[users], targets)
        rows[name].update(_user_features(runs.user_ids(users), side.users))
    asked = len(np.unique(runs.owner[split_of > 0]))
    return rows, {
        counts.INTERACTIONS: len(split_of),
        counts.USERS: len(trained),
        counts.USERS_IN_TRAIN_ONLY: len(trained) - asked,
        counts.HELD_OUT_UNUSED: 0,
    }


def _drawn(runs: _Runs, config: IngestConfig) -> np.ndarray:
    """Split of each interaction, a number in features.INTERACTION_SPLITS, int64 [rows]."""
    # Another seed than that of the order of equal timestamps: what is held out
    # must not be what comes last.
    hashes = runs.pair_hashes(config.seed + 1)
    uniform = hashes.astype(np.float64) / 2.0**64
    train_share = (1 - config.test_share) * (1 - config.valid_share)
    split_of = np.searchsorted([train_share, 1 - config.test_share], uniform, side="right")
    trained = np.bincount(runs.owner, split_of == 0, len(runs.lengths)) > 0
    drawn: np.ndarray = np.where(trained[runs.owner], split_of, 0)
    return drawn


def _within(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Row numbers starts .. starts + lengths - 1 of each, one after the other."""
    offsets = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - offsets, lengths)


class _Runs:
    """The users of an ordered table as runs of its rows.

    Attributes:
      ends: row after each user's last, int64 [users].
      lengths: interactions of each user, int64 [users].
      owner: number of each row's user, int64 [rows].
    """

    def __init__(self, table: pa.Table) -> None:
        users = tables.encoded(table, features.USER_ID)
        items = tables.encoded(table, features.ITEM_ID)
        codes = users.indices.to_numpy(zero_copy_only=False)
        changes = np.flatnonzero(codes[1:] != codes[:-1]) + 1
        self._starts = np.concatenate([np.zeros(min(len(codes), 1), np.int64), changes])
        self.ends = np.append(self._starts[1:], len(codes))[: len(self._starts)]
        self.lengths = self.ends - self._starts
        self.owner = np.repeat(np.arange(len(self.lengths)), self.lengths)
        self._items = items
        self._user_ids = users.dictionary.take(pa.array(codes[self._starts]))
        self._values = {
            features.ITEM_ID: items.dictionary.cast(pa.binary()).take(items.indices),
            features.RATING: table.column(features.RATING).combine_chunks(),
            features.TIMESTAMP: table.column(features.TIMESTAMP).combine_chunks(),
        }

    def user_ids(self, users: np.ndarray) -> pa.Array:
        """Ids of some users, given by their numbers."""
        return self._user_ids.take(pa.array(users))

    def rows(self, users: np.ndarray, lengths: np.ndarray, targets: bool = False) -> Columns:
        """List columns of the first `lengths` interactions of some users.

        With `targets`, also the interaction that follows them.
        """
        starts = self._starts[users]
        asked = starts + lengths if targets else None
        return self.columns(users, _within(starts, lengths), lengths, asked)

    def pair_hashes(self, seed: int) -> np.ndarray:
        """A hash of each row's user and item, uint64 [rows]."""
        items = ids.hash_ids(self._items.dictionary, seed)
        users = ids.hash_ids(self._user_ids, seed)
        return ids.mix(users[self.owner], items[self._items.indices.to_numpy(zero_copy_only=False)])

    def columns(
        self,
        users: np.ndarray,
        taken: np.ndarray,
        lengths: np.ndarray,
        targets: np.ndarray | None,
    ) -> Columns:
        """List columns of some users, given the rows of their histories and targets.

        `taken` has the histories' row numbers one user after the other, `targets`
        one row number a user.
        """
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        columns = {features.USER_ID: singles(self.user_ids(users).cast(pa.binary()))}
        for name, values in self._values.items():
            columns[name] = pa.ListArray.from_arrays(
                pa.array(offsets.astype(np.int32)), values.take(pa.array(taken))
            )
        if targets is not None:
            for name, target in _TARGETS.items():
                columns[target] = singles(self._values[name].take(pa.array(targets)))
        return columns


def singles(values: pa.Array) -> pa.ListArray:
    """Lists of one value each; a null gives a null list.

    Args:
      values: any type [N].

    Returns:
      List array [N].
    """
    missing = values.is_null().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(~missing)]).astype(np.int32)
    # A null offset makes its list null; the last offset only ends the last list.
    return pa.ListArray.from_arrays(
        pa.array(offsets, mask=np.append(missing, False)), values.drop_null()
    )


def _user_features(user_ids: pa.Array, users: pa.Table | None) -> Columns:
    if users is None:
        return {}
    tables.require_unique(users.column(features.USER_ID), "users file: user")
    at = pc.index_in(user_ids, value_set=users.column(features.USER_ID).combine_chunks())
    columns = {}
    for name in features.USER_FEATURES:
        if name in users.column_names:
            values = users.column(name).combine_chunks().take(at)
            text = pa.types.is_string(values.type)
            columns[name] = singles(values.cast(pa.binary()) if text else values)
    return columns


def _candidates(user_ids: pa.Array, targets: pa.Array, candidates: pa.Table) -> pa.ListArray:
    """Each user's candidates for that very target, null where there are none."""

    def keys(user: pa.Array, target: pa.Array) -> pa.Array:
        return pc.binary_join_element_wise(user, target, _KEY_SEPARATOR)

    columns = [candidates.column(n).combine_chunks() for n in candidates.column_names[:2]]
    known = keys(*columns)
    tables.require_unique(known, "candidates file: user and target")
    at = pc.index_in(keys(user_ids, targets.cast(pa.string())), value_set=known)
    lists = candidates.column(features.CANDIDATE_ITEM_ID).combine_chunks()
    return lists.take(at).cast(pa.list_(pa.binary()))
