"""A partition's interactions in their one order: deduplicated, filtered, by user.

The order of a user's interactions is by timestamp, ties broken by a seeded hash
of (user, item), then by rating; an interaction that the dataset itself holds
out comes after all others. It does not depend on the order of rows, files or
partitions.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from components.example_gen import counts, hashing
from components.example_gen.config import IngestConfig
from components.example_gen.io import tables
from schema import features
from schema.errors import UserError

# Flags the rows of a dataset's own held-out file.
HELD_OUT = "held_out"


def flag_held_out(table: pa.Table, held_out: bool) -> pa.Table:
    """Add the column that tells held-out rows from others.

    Args:
      table: of components.formats.reading.schemas.INTERACTIONS_SCHEMA.
      held_out: whether its rows come from a held-out file.

    Returns:
      The table with the bool column HELD_OUT.
    """
    return table.append_column(HELD_OUT, pa.array(np.full(table.num_rows, held_out)))


def sort_and_dedupe(table: pa.Table, config: IngestConfig) -> tuple[pa.Table, dict[str, int]]:
    """Order interactions, keep one a (user, item) pair and drop low ratings.

    Of the interactions of one pair the last is kept: the newest opinion, or the
    dataset's held-out row. Ratings are compared after that, so an old high
    rating does not survive a new low one.

    Args:
      table: flagged interactions of some users, all of each user's.
      config: `min_rating` and `seed` apply here.

    Returns:
      The rows that are kept, by user (by hash of the id) and in each user's
      order, and the counts of those that are not.

    Raises:
      UserError: a user has several held-out rows.
    """
    columns = _Columns(table, config.seed)
    order = columns.order()
    last = _last_of_pair(columns.user[order], columns.item[order])
    kept = order[last]
    found = {counts.DUPLICATES: len(order) - len(kept), counts.DROPPED_BY_RATING: 0}
    _require_one_held_out(columns, kept)
    if config.min_rating is not None:
        high = columns.rating[kept] >= np.float32(config.min_rating)
        found[counts.DROPPED_BY_RATING] = int(len(kept) - high.sum())
        kept = kept[high]
    return table.take(pa.array(kept)), found


class _Columns:
    """Hold NumPy columns of flagged interactions; `user` and `item` are codes.

    User codes follow the order of the users' hashes, ties by id.
    """

    def __init__(self, table: pa.Table, seed: int) -> None:
        users = tables.encoded(table, features.USER_ID)
        items = tables.encoded(table, features.ITEM_ID)
        names = np.array(users.dictionary.to_pylist(), dtype=object)
        by_hash = np.lexsort((names, hashing.hash_ids(users.dictionary)))
        rank = np.empty(len(names), np.int64)
        rank[by_hash] = np.arange(len(names))
        user_rows = users.indices.to_numpy(zero_copy_only=False)
        self.item = items.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        self.user = rank[user_rows]
        self.names = names[by_hash]
        self.rating = table.column(features.RATING).to_numpy()
        self.timestamp = table.column(features.TIMESTAMP).to_numpy()
        self.held_out = table.column(HELD_OUT).to_numpy()
        self.tie = hashing.mix(
            hashing.hash_ids(users.dictionary, seed)[user_rows],
            hashing.hash_ids(items.dictionary, seed)[self.item],
        )

    def order(self) -> np.ndarray:
        """Return row numbers by user and in each user's order, int64 [rows]."""
        # One key for both: every key costs a pass over all rows.
        user_then_held_out = 2 * self.user + self.held_out
        return np.lexsort((self.rating, self.tie, self.timestamp, user_then_held_out))


def _last_of_pair(user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Tell which rows are the last one of their (user, item), bool [rows]."""
    if len(user) == 0:
        return np.zeros(0, bool)
    pair = user * (item.max() + 1) + item
    grouped = np.argsort(pair, kind="stable")
    last = np.ones(len(pair), bool)
    last[grouped[:-1]] = pair[grouped[:-1]] != pair[grouped[1:]]
    return last


def _require_one_held_out(columns: _Columns, rows: np.ndarray) -> None:
    held = columns.user[rows][columns.held_out[rows]]
    if len(held) > 1 and (repeated := held[1:] == held[:-1]).any():
        user = columns.names[held[1:][repeated][0]]
        raise UserError(f"user {user!r} has several held-out interactions, expected one.")
