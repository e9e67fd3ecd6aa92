"""RMSE of predicted ratings as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import RatingMetric


class RatingRMSE(RatingMetric):
    """Compute the root of the mean squared error of the predicted ratings of held-out items.

    The mean is over ratings, so a user counts once a held-out rating. Source:
    Bennett and Lanning 2007, "The Netflix Prize".
    """

    root = True

    def per_user(self, errors: np.ndarray) -> np.ndarray:
        """See RatingMetric."""
        return errors**2
