"""HR@k as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import CutOffMetric
from components.metrics.tie_groups import TieGroups


class RankHitRate(CutOffMetric):
    """Measure the share of users with a target among the first k.

    A group of m positions, c of them above the cut-off, holds t targets in a
    random order: none of them is above with the hypergeometric probability
    (m - c) (m - c - 1) ... / (m (m - 1) ...), t factors each. With one target
    the hit is expected to be c / m. Source: He et al. 2017, "Neural
    Collaborative Filtering", section 4.1; the Model Garden's position < k.
    """

    def per_user(self, tie_groups: TieGroups) -> np.ndarray:
        """See TargetMetric."""
        below = tie_groups.size - tie_groups.above(self.k) - tie_groups.number
        return 1 - tie_groups.products(np.maximum(below, 0) / (tie_groups.size - tie_groups.number))
