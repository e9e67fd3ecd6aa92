"""NDCG@k above popularity's as a TFMA metric; the gate of pipeline.eval_config reads it."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.metrics.ndcg import gains
from components.metrics.ranks import MODEL, POPULARITY, RankTable, rank_computations


class PopularityLift(tfma.metrics.Metric):
    """The model's NDCG@k less that of ranking by training popularity.

    A difference of the same users' gains, so its interval is a paired one.

    Args:
      name: of the metric.
      k: cut-off.
      protocol: one of components.metrics.ranks.PROTOCOLS.
      source_digest: of this package's code; not read, but part of the
        Evaluator's cache key.
    """

    def __init__(
        self, name: str, k: int = 10, protocol: str = "full", source_digest: str = ""
    ) -> None:
        super().__init__(
            _computations, name=name, k=k, protocol=protocol, source_digest=source_digest
        )


def lifts(table: RankTable, k: int, protocol: str) -> np.ndarray:
    """Gain of each row less popularity's gain.

    Args:
      table: ranks of N rows.
      k: cut-off.
      protocol: one of components.metrics.ranks.PROTOCOLS.

    Returns:
      float64 [N] in [-1, 1].
    """
    return gains(table, k, protocol, MODEL) - gains(table, k, protocol, POPULARITY)


def _computations(
    name: str,
    k: int,
    protocol: str,
    source_digest: str,
    model_names: list[str],
    eval_config: config_pb2.EvalConfig,
) -> metric_types.MetricComputations:
    per_user = functools.partial(lifts, k=k, protocol=protocol)
    return rank_computations(name, per_user, model_names, eval_config)
