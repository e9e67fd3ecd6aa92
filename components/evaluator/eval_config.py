"""What TFMA measures, and on which slices; what a model must reach, the gate alone knows."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.metric_names import EXAMPLE_COUNT, RATING_METRICS, metric_name
from components.metrics.base import CutOffMetric, ListMetric, TargetMetric
from components.metrics.example_count import RowCount
from components.metrics.rank_outputs import LIFT, MODEL, POPULARITY
from components.metrics.registry import metric_class
from trainer.config.evaluation import (
    CROSS,
    EVALUATION_LOSS,
    SAMPLED,
    EvaluationConfig,
)


def build_eval_config(
    evaluation: EvaluationConfig,
    source_digest: str,
    ratings: bool = False,
    training_negatives: int = 4,
) -> config_pb2.EvalConfig:
    """Describe the evaluation to the stock Evaluator.

    There are no thresholds: TFX then leaves the blessing to the gate.

    Args:
      evaluation: protocols, metrics, cut-offs and slices.
      source_digest: of the metrics' code; the Evaluator's cache key has no
        other place for it.
      ratings: whether the model predicts ratings, which are then measured too.
      training_negatives: negatives a positive in training, for evaluation_loss.

    Returns:
      The configuration, with the candidate and the last blessed model as
      baseline; TFX drops the latter on a first run.
    """
    metrics = [_config_of(RowCount, {"name": EXAMPLE_COUNT})]
    for metric, name, own in _metrics(evaluation, ratings, training_negatives):
        kind = metric_class(metric)
        config = {"name": name, "source_digest": source_digest, **own}
        metrics.append(_config_of(kind, config))
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(name=tfma.constants.CANDIDATE_KEY),
            config_pb2.ModelSpec(name=tfma.constants.BASELINE_KEY, is_baseline=True),
        ],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=s.split(CROSS)) for s in evaluation.slices),
        ],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
        options=config_pb2.Options(include_default_metrics={"value": False}),
    )


def _config_of(kind: type, config: Mapping[str, str | int]) -> config_pb2.MetricConfig:
    return config_pb2.MetricConfig(
        module=kind.__module__,
        class_name=kind.__name__,
        config=json.dumps(config, sort_keys=True),
    )


def _metrics(
    evaluation: EvaluationConfig, ratings: bool, training_negatives: int
) -> Iterator[tuple[str, str, dict[str, str | int]]]:
    """List what to compute: metric, name, and settings of its class."""
    cut_offs = (evaluation.k, *evaluation.more_k)
    for protocol, metric in itertools.product(evaluation.protocols, evaluation.metrics):
        kind = metric_class(metric)
        if not issubclass(kind, TargetMetric):
            continue
        common: dict[str, str | int] = {"protocol": protocol, "ties": evaluation.ties}
        for k in cut_offs if issubclass(kind, CutOffMetric) else (None,):
            own = common if k is None else {**common, "k": k}
            for name, subject in (
                (metric_name(metric, k, protocol), MODEL),
                (metric_name(metric, k, protocol, POPULARITY), POPULARITY),
                (metric_name(f"{metric}_{LIFT}", k, protocol), LIFT),
            ):
                yield metric, name, {**own, "subject": subject}
    for protocol, settings in evaluation.protocols.items():
        if EVALUATION_LOSS in evaluation.metrics and settings.candidates == SAMPLED:
            name = metric_name(EVALUATION_LOSS, None, protocol)
            own = {"protocol": protocol, "training_negatives": training_negatives}
            yield EVALUATION_LOSS, name, own
    for metric in evaluation.metrics:
        kind = metric_class(metric)
        if issubclass(kind, ListMetric):
            for k in cut_offs[:1] if kind.k_alone else cut_offs:
                yield metric, metric_name(metric, k, ""), {"k": k}
    for predicted in RATING_METRICS if ratings else ():
        yield predicted, predicted, {}
