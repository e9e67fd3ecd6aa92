"""NDCG@k as a TFMA metric; loaded by the Evaluator through pipeline.eval_config."""

from __future__ import annotations

import numpy as np

from components.metrics.base import CutOffMetric
from components.metrics.places import Places


class RankNDCG(CutOffMetric):
    """Normalized discounted cumulative gain of the first k.

    A target at position p (from 0) gains 1 / log2(p + 2) if p < k, as the
    Model Garden's log 2 / log(p + 2); the sum is divided by that of a list
    that begins with all targets. Expected over orders, a target gains the mean
    over its group's positions, a difference of cumulated gains. Source:
    Jarvelin and Kekalainen 2002, "Cumulated Gain-based Evaluation of IR
    Techniques"; ties: McSherry and Najork 2008.
    """

    def of(self, places: Places) -> np.ndarray:
        """See TargetMetric."""
        cumulated = np.append(0.0, np.cumsum(1 / np.log2(np.arange(self.k) + 2)))
        start = np.minimum(places.first, self.k)
        gained = cumulated[start + places.above(self.k)] - cumulated[start]
        return places.sums(gained / places.size) / cumulated[np.minimum(places.count, self.k)]
