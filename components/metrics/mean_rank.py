"""Mean rank as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import TargetMetric
from trainer.ops.tie_groups import TieGroups


class MeanRank(TargetMetric):
    """Average the ranks of a user's targets in the list, from 1; less is better.

    Expected over orders, a target stands in the middle of its group: a constant
    model has (length + 1) / 2 with one target. Source: Bordes et al. 2013,
    "Translating Embeddings for Modeling Multi-relational Data", section 4.2.
    """

    def per_user(self, tie_groups: TieGroups) -> np.ndarray:
        """See TargetMetric."""
        return tie_groups.sums(tie_groups.first + (tie_groups.size + 1) / 2) / tie_groups.count
