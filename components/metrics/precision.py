"""Precision@k as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import CutOffMetric
from trainer.ops.tie_groups import TieGroups


class RankPrecision(CutOffMetric):
    """Measure the share of the first k that are targets; k counts in full for a shorter list.

    Expected over orders, each target counts the share of its group's positions
    that are above the cut-off. Source: Cremonesi et al. 2010, "Performance of
    Recommender Algorithms on Top-N Recommendation Tasks".
    """

    def per_user(self, tie_groups: TieGroups) -> np.ndarray:
        """See TargetMetric."""
        return tie_groups.sums(tie_groups.above(self.k) / tie_groups.size) / self.k
