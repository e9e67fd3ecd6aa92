"""Recall@k as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import CutOffMetric
from trainer.ops.tie_groups import TieGroups


class RankRecall(CutOffMetric):
    """Measure the share of a user's targets that are among the first k.

    Expected over orders, each target counts the share of its group's positions
    that are above the cut-off. With one target a user it is HR@k; with more
    than k targets it cannot reach 1. Source: Cremonesi et al. 2010,
    "Performance of Recommender Algorithms on Top-N Recommendation Tasks".
    """

    def per_user(self, tie_groups: TieGroups) -> np.ndarray:
        """See TargetMetric."""
        return tie_groups.sums(tie_groups.above(self.k) / tie_groups.size) / tie_groups.count
