"""NDCG@k as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import CutOffMetric
from components.metrics.tie_groups import TieGroups


class RankNDCG(CutOffMetric):
    """Compute the normalized discounted cumulative gain of the first k.

    A target at position p (from 0) gains 1 / log2(p + 2) if p < k, as the
    Model Garden's log 2 / log(p + 2); the sum is divided by that of a list
    that begins with all targets. Expected over orders, a target gains the mean
    over its group's positions, a difference of cumulated gains. Source:
    Jarvelin and Kekalainen 2002, "Cumulated Gain-based Evaluation of IR
    Techniques"; ties: McSherry and Najork 2008.
    """

    def per_user(self, tie_groups: TieGroups) -> np.ndarray:
        """See TargetMetric."""
        cumulated = np.append(0.0, np.cumsum(1 / np.log2(np.arange(self.k) + 2)))
        start = np.minimum(tie_groups.first, self.k)
        gained = cumulated[start + tie_groups.above(self.k)] - cumulated[start]
        return (
            tie_groups.sums(gained / tie_groups.size)
            / cumulated[np.minimum(tie_groups.count, self.k)]
        )
