"""MAE of predicted ratings as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import RatingMetric


class RatingMAE(RatingMetric):
    """Average the absolute errors of the predicted ratings of held-out items.

    The mean is over ratings, so a user counts once a held-out rating. Source:
    Herlocker et al. 2004, "Evaluating Collaborative Filtering Recommender
    Systems", section 4.1.
    """

    def per_user(self, errors: np.ndarray) -> np.ndarray:
        """See RatingMetric."""
        return np.abs(errors)
