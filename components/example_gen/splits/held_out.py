"""Held-out interactions: a partition's ordered interactions to the rows of each split.

A row is a user. In valid and test it has the user's interactions of that split
as targets and, as history, those of the splits before; so histories are written
three times at the most, whatever is held out. A user with targets but no
history has no row in that split. docs/splits.md tells what each kind of split
holds out.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen import counts
from components.example_gen.config import IngestConfig
from components.example_gen.io import tables
from components.example_gen.splits.assignment import SPLITS, TRAIN, SplitInputs
from components.example_gen.splits.user_segments import Columns, UserSegments, singles
from schema import features

_KEY_SEPARATOR = "\x1f"


def split(
    table: pa.Table, inputs: SplitInputs, config: IngestConfig
) -> tuple[dict[str, Columns], dict[str, int]]:
    """Build the rows of each split.

    Args:
      table: marked interactions, whole users, in `sort_and_dedupe`'s order.
      inputs: see SplitInputs.
      config: which split.

    Returns:
      For each of features.INTERACTION_SPLITS the list columns of its rows, users
      in the order of `table`; and counts.

    Raises:
      UserError: a user, or a user's candidates, described twice.
    """
    segments = UserSegments(table)
    split_of = SPLITS[config.split](segments, config, inputs)
    rows, has_row = {}, {}
    used = np.zeros(table.num_rows, bool)
    for number, name in enumerate(features.INTERACTION_SPLITS):
        # A history has what lies in the splits before; train has itself.
        known = split_of < max(number, 1)
        asked = split_of == number
        has_row[name] = (segments.per_user(known) > 0) & (segments.per_user(asked) > 0)
        users = np.flatnonzero(has_row[name])
        targets = None if number == TRAIN else segments.list_slices(asked, users)
        rows[name] = segments.columns(users, segments.list_slices(known, users), targets)
        rows[name].update(_user_features(segments.user_ids(users), inputs.users))
        used |= (known | asked) & has_row[name][segments.owner]
    if inputs.candidates is not None:
        test = rows[features.TEST]
        test[features.CANDIDATE_ITEM_ID] = _candidates(
            test[features.USER_ID].flatten(),
            test[features.TARGET_ITEM_ID].flatten(),
            inputs.candidates,
        )
    found = _counts(used, has_row)
    if inputs.users is not None:
        everyone = np.flatnonzero(np.logical_or.reduce(list(has_row.values())))
        known = pc.is_in(
            segments.user_ids(everyone),
            value_set=inputs.users.column(features.USER_ID).combine_chunks(),
        )
        found[counts.USERS_MISSING_FROM_USERS_FILE] = len(known) - known.true_count
    return rows, found


def _counts(used: np.ndarray, has_row: dict[str, np.ndarray]) -> dict[str, int]:
    trained = has_row[features.TRAIN]
    asked = has_row[features.VALID] | has_row[features.TEST]
    return {
        counts.INTERACTIONS: int(used.sum()),
        counts.USERS: int((trained | asked).sum()),
        counts.USERS_IN_TRAIN_ONLY: int((trained & ~asked).sum()),
        counts.USERS_NOT_IN_TRAIN: int((~trained).sum()),
        counts.HELD_OUT_UNUSED: int((~used).sum()),
    }


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
    asked = keys(user_ids.cast(pa.string()), targets.cast(pa.string()))
    at = pc.index_in(asked, value_set=known)
    lists = candidates.column(features.CANDIDATE_ITEM_ID).combine_chunks()
    return lists.take(at).cast(pa.list_(pa.binary()))
