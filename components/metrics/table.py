"""The outputs of the `rank` signature for a slice's rows, as columns."""

from __future__ import annotations

import dataclasses

import numpy as np

from components.metrics.rank_outputs import RankOutputs
from schema import features
from trainer.ops.tie_groups import TieGroups, tie_groups


@dataclasses.dataclass(frozen=True)
class RankTable:
    """Hold what one model gave for N rows that hold out M targets.

    Attributes:
      users: int64 [N], fingerprints of the users.
      count: int64 [N], targets of each row, at least 1.
      rows: one value a row, int32 or float32 [N], by output name.
      lists: the served list, int32 or float32 [N, K], by output name.
      targets: one value a target, int32 or float32 [M], rows in order, by output name.
    """

    users: np.ndarray
    count: np.ndarray
    rows: dict[str, np.ndarray]
    lists: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    _tie_groups: dict[tuple[str, ...], TieGroups] = dataclasses.field(
        default_factory=dict, repr=False
    )

    def tie_groups(self, protocol: str, subject: str, rule: str) -> TieGroups:
        """Find the groups of targets with equal scores, once for all metrics.

        Args:
          protocol: its name.
          subject: MODEL or POPULARITY, which of the two ranked.
          rule: of trainer.ops.tie_groups.

        Returns:
          The groups of the M targets.
        """
        key = protocol, subject, rule
        if key not in self._tie_groups:
            self._tie_groups[key] = tie_groups(
                self.targets[RankOutputs.greater(protocol, subject)].astype(np.int64),
                self.targets[RankOutputs.ties(protocol, subject)].astype(np.int64),
                self.count,
                self.rows[RankOutputs.candidates(protocol)].astype(np.int64),
                rule,
            )
        return self._tie_groups[key]

    def row(self, name: str) -> np.ndarray:
        """Return an output of the rows as float64 [N]; NaN where the model has no such output."""
        if name not in self.rows:
            return np.full(len(self.users), np.nan)
        return self.rows[name].astype(np.float64)

    def listed(self, k: int) -> np.ndarray:
        """Tell which of the first k ranks of the lists are filled, bool [N, k]."""
        return self.lists[RankOutputs.TOP_ITEM][:, :k] >= 0

    def rated(self) -> np.ndarray:
        """Tell which targets have a rating to predict, bool [M]: the others the model lacks."""
        if not self.targets.keys() >= set(RankOutputs.RATINGS):
            return np.ones(int(self.count.sum()), bool)
        return ~np.isnan(self.targets[features.TARGET_RATING])

    def errors(self) -> np.ndarray:
        """Return predicted less given ratings, float64 [M]; NaN without a prediction."""
        if not self.targets.keys() >= set(RankOutputs.RATINGS):
            return np.full(int(self.count.sum()), np.nan)
        predicted, given = (self.targets[name].astype(np.float64) for name in RankOutputs.RATINGS)
        return predicted - given

    def row_sums(self, values: np.ndarray) -> np.ndarray:
        """Sum over each row's targets: of [M], float64 [N]."""
        row = np.repeat(np.arange(len(self.count)), self.count)
        return np.bincount(row, values, minlength=len(self.count))
