"""Novelty@k as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import ListMetric
from components.metrics.rank_outputs import RankOutputs
from components.metrics.table import RankTable

# Items that training never saw would be infinitely novel.
_LEAST_SHARE = 2.0**-30


class ListNovelty(ListMetric):
    """Average the self-information of the first k served items, in bits.

    An item that makes up the share p of the training interactions carries
    -log2 p; at most 30 bits, which is what an item without any carries.
    Source: Zhou et al. 2010, "Solving the Apparent Diversity-Accuracy Dilemma
    of Recommender Systems".
    """

    def values(self, table: RankTable) -> np.ndarray:
        """See RankMetric."""
        listed, shares = table.listed(self.k), table.lists[RankOutputs.TOP_SHARE][:, : self.k]
        bits = -np.log2(np.maximum(shares.astype(np.float64), _LEAST_SHARE))
        return np.where(listed, bits, 0).sum(axis=1) / np.maximum(listed.sum(axis=1), 1)
