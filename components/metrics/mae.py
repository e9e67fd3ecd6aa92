"""MAE of predicted ratings as a TFMA metric; loaded through pipeline.eval_config."""

from __future__ import annotations

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.metrics.ranks import RankTable, rank_computations


class RatingMAE(tfma.metrics.Metric):
    """Mean absolute error of the predicted ratings of held-out items.

    NaN for a model whose `rank` signature gives no predicted ratings.

    Args:
      name: of the metric.
      source_digest: of this package's code; not read, but part of the
        Evaluator's cache key.
    """

    def __init__(self, name: str, source_digest: str = "") -> None:
        super().__init__(_computations, name=name, source_digest=source_digest)


def absolute_errors(table: RankTable) -> np.ndarray:
    """Absolute error of each row.

    Args:
      table: of N rows.

    Returns:
      float64 [N].
    """
    return np.abs(table.errors())


def _computations(
    name: str, source_digest: str, model_names: list[str], eval_config: config_pb2.EvalConfig
) -> metric_types.MetricComputations:
    return rank_computations(name, absolute_errors, model_names, eval_config)
