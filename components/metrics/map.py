"""MAP@k as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import CutOffMetric
from trainer.ops.tie_groups import TieGroups


class RankMAP(CutOffMetric):
    """Average the precisions at the targets among the first k, then over users.

    Each target at position p < k (from 0) gives the precision of the first
    p + 1; their sum is divided by the most targets that fit, min(n, k), so that
    a perfect list scores 1 (RecBole's rule; trec_eval divides by n).

    Expected over orders: of a group of m positions from s on, with t targets
    and a targets in better groups, each target is at each position p with
    chance 1 / m, and then expects a + (p - s) r targets before it, r being
    (t - 1) / (m - 1). The sum over p of (1 + a + (p - s) r) / (p + 1) is
    (1 + a - (s + 1) r) times a difference of harmonic numbers, plus r a
    position. Source: McSherry and Najork 2008, "Computing Information
    Retrieval Performance Measures Efficiently in the Presence of Tied Scores".
    """

    def per_user(self, tie_groups: TieGroups) -> np.ndarray:
        """See TargetMetric."""
        harmonic = np.append(0.0, np.cumsum(1 / (np.arange(self.k) + 1)))
        start, above = np.minimum(tie_groups.first, self.k), tie_groups.above(self.k)
        rate = (tie_groups.tied - 1) / np.maximum(tie_groups.size - 1, 1)
        precisions = (1 + tie_groups.before - (tie_groups.first + 1) * rate) * (
            harmonic[start + above] - harmonic[start]
        ) + rate * above
        return tie_groups.sums(precisions / tie_groups.size) / np.minimum(tie_groups.count, self.k)
