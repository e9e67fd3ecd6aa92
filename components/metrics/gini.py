"""Gini index of the served items as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import ListMetric
from components.metrics.rank_outputs import RankOutputs
from components.metrics.table import RankTable


class ListGini(ListMetric):
    """Measure how unequally often items are served: 0 all alike, near 1 a few alone.

    With x(1) <= ... <= x(C) the numbers of users of the slice whose first k
    hold each item, it is sum((2 i - C - 1) x(i)) / (C sum(x)); items that are
    never served count. It falls with the slice's size: compare models on a
    slice, not slices. Source: Adomavicius and Kwon 2012, "Improving Aggregate
    Recommendation Diversity Using Ranking-Based Techniques" (whose figure is
    its complement).

    It is no mean over users, so `values` are those whose mean it is and whose
    spread is, to first order, its own: the derivatives by the users' weights,
    items served alike often having the mean of their ranks i. Source: Efron
    and Tibshirani 1993, chapter 22 (infinitesimal jackknife).
    """

    def values(self, table: RankTable) -> np.ndarray:
        """See RankMetric."""
        items, listed = table.lists[RankOutputs.TOP_ITEM][:, : self.k], table.listed(self.k)
        size = int(table.row(RankOutputs.CATALOG_SIZE).max(initial=1))
        served = np.bincount(items[listed], minlength=size)
        total = max(served.sum(), 1)
        _, group, members = np.unique(served, return_inverse=True, return_counts=True)
        rank = (np.cumsum(members) - (members - 1) / 2)[group]
        slope = (2 * rank - size - 1) / size
        gini = (slope * served).sum() / total
        counted = self.weights(table).sum()
        of_lists = np.where(listed, slope[items] - gini, 0).sum(axis=1)
        return gini + counted * of_lists / total
