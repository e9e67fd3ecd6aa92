"""A partition's ordered interactions, a segment a user, and list columns cut from them.

There is no loop over users: columns are taken whole and cut by offsets.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa

from components.example_gen import hashing
from components.example_gen.io import tables
from components.example_gen.sort_and_dedupe import HELD_OUT
from schema import features

Columns = dict[str, pa.Array]

_HISTORY = {name: name for name in (features.ITEM_ID, features.RATING, features.TIMESTAMP)}
_TARGETS = {
    features.ITEM_ID: features.TARGET_ITEM_ID,
    features.RATING: features.TARGET_RATING,
    features.TIMESTAMP: features.TARGET_TIMESTAMP,
}


@dataclasses.dataclass(frozen=True)
class ListSlices:
    """Name the rows of a table that become one list column, a list for each user.

    Attributes:
      taken: row numbers, one user after the other, int64 [N].
      lengths: how many of them are each user's, int64 [users of the split].
    """

    taken: np.ndarray
    lengths: np.ndarray


class UserSegments:
    """Divide an ordered table into segments of rows, one for each user.

    Args:
      table: flagged interactions, whole users, in `sort_and_dedupe`'s order.

    Attributes:
      ends: row after each user's last, int64 [users].
      lengths: interactions of each user, int64 [users].
      owner: number of each row's user, int64 [rows].
      timestamps: of each row, int64 [rows].
      last_held_out: whether each user's last row is from a held-out file, bool
        [users].
    """

    def __init__(self, table: pa.Table) -> None:
        users = tables.encoded(table, features.USER_ID)
        items = tables.encoded(table, features.ITEM_ID)
        codes = users.indices.to_numpy(zero_copy_only=False)
        changes = np.flatnonzero(codes[1:] != codes[:-1]) + 1
        starts = np.concatenate([np.zeros(min(len(codes), 1), np.int64), changes])
        self.ends = np.append(starts[1:], len(codes))[: len(starts)]
        self.lengths = self.ends - starts
        self.owner = np.repeat(np.arange(len(starts)), self.lengths)
        self.timestamps = table.column(features.TIMESTAMP).to_numpy()
        self.last_held_out = table.column(HELD_OUT).to_numpy()[self.ends - 1]
        self._items = items
        self._user_ids = users.dictionary.take(pa.array(codes[starts]))
        self._values = {
            features.ITEM_ID: items.dictionary.cast(pa.binary()).take(items.indices),
            features.RATING: table.column(features.RATING).combine_chunks(),
            features.TIMESTAMP: table.column(features.TIMESTAMP).combine_chunks(),
        }

    def user_ids(self, users: np.ndarray) -> pa.Array:
        """Look up ids of users by their numbers.

        Args:
          users: int64 [U].

        Returns:
          String array [U].
        """
        return self._user_ids.take(pa.array(users))

    def per_user(self, chosen: np.ndarray) -> np.ndarray:
        """Count each user's rows among some.

        Args:
          chosen: bool [rows].

        Returns:
          int64 [users].
        """
        return np.bincount(self.owner[chosen], minlength=len(self.lengths))

    def pair_hashes(self, seed: int) -> np.ndarray:
        """Hash each row's user and item.

        Args:
          seed: of the hashes.

        Returns:
          uint64 [rows].
        """
        items = hashing.hash_ids(self._items.dictionary, seed)
        users = hashing.hash_ids(self._user_ids, seed)
        return hashing.mix(
            users[self.owner], items[self._items.indices.to_numpy(zero_copy_only=False)]
        )

    def list_slices(self, chosen: np.ndarray, users: np.ndarray) -> ListSlices:
        """Cut chosen rows by user.

        Args:
          chosen: bool [rows].
          users: numbers of the users whose rows are wanted, ascending int64 [U].

        Returns:
          The chosen rows of these users.
        """
        wanted = np.zeros(len(self.lengths), bool)
        wanted[users] = True
        taken = np.flatnonzero(chosen & wanted[self.owner])
        return ListSlices(taken, self.per_user(chosen)[users])

    def columns(
        self, users: np.ndarray, history: ListSlices, targets: ListSlices | None
    ) -> Columns:
        """Make the list columns of some users.

        Args:
          users: their numbers, int64 [U].
          history: the histories.
          targets: held-out interactions; None gives no such columns.

        Returns:
          `user_id`, the history's columns and the targets'.
        """
        columns = {features.USER_ID: singles(self.user_ids(users).cast(pa.binary()))}
        for list_slices, names in ((history, _HISTORY), (targets, _TARGETS)):
            if list_slices is not None:
                offsets = np.concatenate([[0], np.cumsum(list_slices.lengths)]).astype(np.int32)
                for name, column in names.items():
                    values = self._values[name].take(pa.array(list_slices.taken))
                    columns[column] = pa.ListArray.from_arrays(pa.array(offsets), values)
        return columns


def singles(values: pa.Array) -> pa.ListArray:
    """Wrap each value in a list of its own; a null gives a null list.

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
