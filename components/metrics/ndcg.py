"""NDCG@k as a TFMA metric; loaded by the Evaluator through pipeline.eval_config."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.metrics.ranks import MODEL, RankTable, rank_computations


class RankNDCG(tfma.metrics.Metric):
    """Normalized discounted cumulative gain of one held-out item a user.

    Args:
      name: of the metric.
      k: cut-off.
      protocol: one of components.metrics.ranks.PROTOCOLS.
      subject: whose ranking, MODEL or POPULARITY.
      source_digest: of this package's code; not read, but part of the
        Evaluator's cache key.
    """

    def __init__(
        self,
        name: str,
        k: int = 10,
        protocol: str = "full",
        subject: str = MODEL,
        source_digest: str = "",
    ) -> None:
        super().__init__(
            _computations,
            name=name,
            k=k,
            protocol=protocol,
            subject=subject,
            source_digest=source_digest,
        )


def gains(table: RankTable, k: int, protocol: str, subject: str) -> np.ndarray:
    """Expected gain of each row: equal scores stand in every order alike often.

    At position p (from 0) the gain is 1 / log2(p + 2) if p < k (Jarvelin and
    Kekalainen 2002, the ideal being 1); the mean over the positions greater ..
    greater + ties is a difference of cumulated gains.

    Args:
      table: ranks of N rows.
      k: cut-off.
      protocol: one of components.metrics.ranks.PROTOCOLS.
      subject: MODEL or POPULARITY.

    Returns:
      float64 [N] in [0, 1].
    """
    greater, ties = table.counts(protocol, subject)
    cumulated = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(k) + 2))])
    end = np.minimum(greater + ties + 1, k)
    return (cumulated[end] - cumulated[np.minimum(greater, k)]) / (ties + 1)


def _computations(
    name: str,
    k: int,
    protocol: str,
    subject: str,
    source_digest: str,
    model_names: list[str],
    eval_config: config_pb2.EvalConfig,
) -> metric_types.MetricComputations:
    per_user = functools.partial(gains, k=k, protocol=protocol, subject=subject)
    return rank_computations(name, per_user, model_names, eval_config)
