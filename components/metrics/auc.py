"""AUC as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import TargetMetric
from trainer.ops.tie_groups import TieGroups


class RankAUC(TargetMetric):
    """Average over users the chance that a target is ranked above a candidate that is none.

    With n targets at positions p (from 0) in a list of N there are
    sum(p) - n (n - 1) / 2 pairs in the wrong order, of n (N - n); expected over
    orders a tie is half a pair. A user without a candidate beside the targets
    counts as chance, 0.5. Source: Rendle et al. 2009, "BPR: Bayesian
    Personalized Ranking from Implicit Feedback", section 4.1.1.
    """

    def per_user(self, tie_groups: TieGroups) -> np.ndarray:
        """See TargetMetric."""
        positions = tie_groups.sums(tie_groups.first + (tie_groups.size - 1) / 2)
        wrong = positions - tie_groups.count * (tie_groups.count - 1) / 2
        pairs = tie_groups.count * (tie_groups.length - tie_groups.count)
        return np.where(pairs > 0, 1 - wrong / np.maximum(pairs, 1), 0.5)
