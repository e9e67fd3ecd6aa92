"""Precision@k as a TFMA metric; loaded by the Evaluator through pipeline.eval_config."""

from __future__ import annotations

import numpy as np

from components.metrics.base import CutOffMetric
from components.metrics.places import Places


class RankPrecision(CutOffMetric):
    """Share of the first k that are targets; k counts in full for a shorter list.

    Expected over orders, each target counts the share of its group's positions
    that are above the cut-off. Source: Cremonesi et al. 2010, "Performance of
    Recommender Algorithms on Top-N Recommendation Tasks".
    """

    def of(self, places: Places) -> np.ndarray:
        """See TargetMetric."""
        return places.sums(places.above(self.k) / places.size) / self.k
