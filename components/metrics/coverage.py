"""Catalog coverage@k as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import ListMetric
from components.metrics.rank_outputs import RankOutputs
from components.metrics.table import RankTable


class ListCoverage(ListMetric):
    """Measure the share of the catalog that is served to at least one user of the slice.

    It grows with the slice: compare models on a slice, not slices. Source: Ge
    et al. 2010, "Beyond Accuracy: Evaluating Recommender Systems by Coverage
    and Serendipity".

    It is no mean over users, so `values` are those whose mean it is and whose
    spread is its own: the jackknife's, by which the coverage of N users loses
    s / C without a user who alone is served s of the C items. (Resampled lists
    repeat users and so always cover less than the sample: a plain bootstrap
    interval would lie below the figure.) Source: Efron and Tibshirani 1993,
    "An Introduction to the Bootstrap", chapters 11 and 20.
    """

    def values(self, table: RankTable) -> np.ndarray:
        """See RankMetric."""
        items, listed = table.lists[RankOutputs.TOP_ITEM][:, : self.k], table.listed(self.k)
        size = table.row(RankOutputs.CATALOG_SIZE).max(initial=1)
        served = np.bincount(items[listed], minlength=1)
        alone = ((served[items] == 1) & listed).sum(axis=1)
        counted = self.weights(table)
        influence = counted.sum() * alone / size
        mean = influence.sum() / max(counted.sum(), 1)
        return np.count_nonzero(served) / size + influence - mean
