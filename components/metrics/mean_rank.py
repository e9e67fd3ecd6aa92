"""Mean rank as a TFMA metric; loaded by the Evaluator through pipeline.eval_config."""

from __future__ import annotations

import numpy as np

from components.metrics.base import TargetMetric
from components.metrics.places import Places


class MeanRank(TargetMetric):
    """Mean place of a user's targets in the list, from 1; less is better.

    Expected over orders, a target stands in the middle of its group: a constant
    model has (length + 1) / 2 with one target. Source: Bordes et al. 2013,
    "Translating Embeddings for Modeling Multi-relational Data", section 4.2.
    """

    def of(self, places: Places) -> np.ndarray:
        """See TargetMetric."""
        return places.sums(places.first + (places.size + 1) / 2) / places.count
