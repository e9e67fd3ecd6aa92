"""Average popularity@k of what is served as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import ListMetric
from components.metrics.rank_outputs import RankOutputs
from components.metrics.table import RankTable


class ListPopularity(ListMetric):
    """Average the first k served items' shares of the training interactions.

    Source: Abdollahpouri et al. 2017, "Controlling Popularity Bias in
    Learning-to-Rank Recommendation" (average recommendation popularity, there
    in interactions; as a share it does not grow with the data).
    """

    def values(self, table: RankTable) -> np.ndarray:
        """See RankMetric."""
        listed, shares = table.listed(self.k), table.lists[RankOutputs.TOP_SHARE][:, : self.k]
        total = np.where(listed, shares, 0).sum(axis=1, dtype=np.float64)
        return total / np.maximum(listed.sum(axis=1), 1)
