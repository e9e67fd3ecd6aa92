"""NDCG@k as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import CutOffMetric
from trainer.ops import rank_metrics
from trainer.ops.tie_groups import TieGroups


class RankNDCG(CutOffMetric):
    """Compute the normalized discounted cumulative gain of the first k; as validation does."""

    def per_user(self, tie_groups: TieGroups) -> np.ndarray:
        """See TargetMetric."""
        return rank_metrics.ndcg(tie_groups, self.k)
