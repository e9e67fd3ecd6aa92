"""HR@k as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import CutOffMetric
from trainer.ops import rank_metrics
from trainer.ops.tie_groups import TieGroups


class RankHitRate(CutOffMetric):
    """Measure the share of users with a target among the first k; validation does the same."""

    def per_user(self, tie_groups: TieGroups) -> np.ndarray:
        """See TargetMetric."""
        return rank_metrics.hit_rate(tie_groups, self.k)
