"""Positions of the targets of some rows under a tie rule, in NumPy.

Targets with equal scores form a group: `first` is the group's best position and
`size` the number of positions it fills, with candidates that tie among them.
Under "average" every order of a group is equally likely; the other rules give
every target a position of its own, which is a group of size 1.
"""

from __future__ import annotations

import dataclasses

import numpy as np

AVERAGE, PESSIMISTIC, OPTIMISTIC = "average", "pessimistic", "optimistic"


@dataclasses.dataclass(frozen=True)
class TieGroups:
    """Hold the positions, from 0, of M targets of N rows; a row's lie together, best first.

    Attributes:
      row: int64 [M], the row of each target, ascending from 0 to N - 1.
      count: int64 [N], targets of each row, at least 1.
      length: int64 [N], positions of each row's list, targets included.
      first: int64 [M], best position of the target's group.
      size: int64 [M], positions that the group fills.
      tied: int64 [M], targets in the group.
      number: int64 [M], which of these the target is, from 0.
      before: int64 [M], the row's targets in better groups.
    """

    row: np.ndarray
    count: np.ndarray
    length: np.ndarray
    first: np.ndarray
    size: np.ndarray
    tied: np.ndarray
    number: np.ndarray
    before: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum over the targets of each row.

        Args:
          values: [M].

        Returns:
          float64 [N].
        """
        return np.bincount(self.row, values, minlength=len(self.count))

    def products(self, values: np.ndarray) -> np.ndarray:
        """Multiply over the targets of each row.

        Args:
          values: float64 [M].

        Returns:
          float64 [N].
        """
        return np.multiply.reduceat(values, np.cumsum(self.count) - self.count)

    def above(self, k: int) -> np.ndarray:
        """Count the positions of each target's group that lie above the cut-off.

        Args:
          k: cut-off.

        Returns:
          int64 [M] from 0 to `size`.
        """
        return np.clip(k - self.first, 0, self.size)


def tie_groups(
    greater: np.ndarray, ties: np.ndarray, count: np.ndarray, length: np.ndarray, rule: str
) -> TieGroups:
    """Find the groups of targets with equal scores and apply the tie rule.

    Equal scores mean an equal `greater`, since a row's targets are candidates
    of each other. Targets that rank last without a score (outside the catalog,
    or NaN) share the last positions.

    Args:
      greater: int64 [M], candidates scored better than each target.
      ties: int64 [M], other candidates scored equal.
      count: int64 [N], targets of each row, at least 1; they lie together.
      length: int64 [N], candidates of each row, targets included.
      rule: AVERAGE, PESSIMISTIC (targets last) or OPTIMISTIC (targets first).

    Returns:
      The groups of M targets.
    """
    row = np.repeat(np.arange(len(count)), count)
    order = np.lexsort((greater, row))
    greater, ties = greater[order], ties[order]
    opens = np.ones(len(row), bool)
    opens[1:] = (row[1:] != row[:-1]) | (greater[1:] != greater[:-1])
    (starts,) = np.nonzero(opens)
    group = np.cumsum(opens) - 1
    tied = np.diff(np.append(starts, len(row)))[group]
    number = np.arange(len(row)) - starts[group]
    before = starts[group] - (np.cumsum(count) - count)[row]
    size = np.maximum(ties + 1, tied)
    first = np.minimum(greater, length[row] - size)
    if rule != AVERAGE:
        first = first + number + (size - tied if rule == PESSIMISTIC else 0)
        size, tied = np.ones_like(size), np.ones_like(tied)
        before, number = before + number, np.zeros_like(number)
    return TieGroups(row, count, length, first, size, tied, number, before)
