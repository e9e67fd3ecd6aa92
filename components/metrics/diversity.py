"""Genre diversity@k of what is served as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import ListMetric
from components.metrics.rank_outputs import RankOutputs
from components.metrics.table import RankTable


class ListDiversity(ListMetric):
    """Average 1 less the cosine of two items' genres over the pairs of the first k served.

    The `rank` signature works it out; an item without genres is like no other.
    Lists of fewer than two items do not count. Source: Ziegler et al. 2005,
    "Improving Recommendation Lists Through Topic Diversification" (as a
    dissimilarity).
    """

    k_alone = True

    def values(self, table: RankTable) -> np.ndarray:
        """See RankMetric."""
        return table.row(RankOutputs.TOP_DIVERSITY)

    def weights(self, table: RankTable) -> np.ndarray:
        """Return 1 where the list holds a pair, else 0."""
        return (table.listed(self.k).sum(axis=1) >= 2).astype(np.float64)
