"""What the Evaluator measures, on which slices, and what a model must reach.

The only thresholds of the project.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.gate.config import GateConfig
from components.metrics.base import CutOffMetric, ListMetric, TargetMetric
from components.metrics.registry import metric_class
from trainer.config.evaluation import (
    CROSS,
    EVALUATION_LOSS,
    SAMPLED,
    EvaluationConfig,
)

EXAMPLE_COUNT = "example_count"
# Metrics of models that predict ratings.
RATING_METRICS = ("rmse", "mae")
# Signatures of the judge of a model (components.evaluator.ranking.wrap).
_RANK = "rank"
_USER_SLICES = "user_slices"
_TARGET_SLICES = "target_slices"
# TFMA's bounds are inclusive: this is "more than popularity".
_MORE_THAN_NOTHING = 1e-9


def metric_name(metric: str, k: int | None, protocol: str, subject: str = "") -> str:
    """Name of a metric, such as "popularity_ndcg@10_full", "auc_lift_full" or "coverage@10".

    Args:
      metric: its name in trainer.config.evaluation, with "_lift" for the
        difference from popularity's.
      k: cut-off; None for a metric without one.
      protocol: its name; "" for a metric of the served lists.
      subject: "" for the model, or "popularity".

    Returns:
      The name.
    """
    name = f"{subject}_{metric}" if subject else metric
    name += "" if k is None else f"@{k}"
    return f"{name}_{protocol}" if protocol else name


def build_eval_config(
    evaluation: EvaluationConfig,
    gate: GateConfig,
    source_digest: str,
    ratings: bool = False,
    training_negatives: int = 4,
) -> config_pb2.EvalConfig:
    """Describes the evaluation to the stock Evaluator.

    Args:
      evaluation: protocols, metrics, cut-offs and slices.
      gate: thresholds.
      source_digest: of the metrics' code; the Evaluator's cache key has no
        other place for it.
      ratings: whether the model predicts ratings, which are then measured too.
      training_negatives: negatives a positive in training, for evaluation_loss.

    Returns:
      The configuration, with the candidate and the last blessed model as
      baseline; TFX drops the latter and its thresholds on a first run.
    """
    metrics = [config_pb2.MetricConfig(class_name="ExampleCount")]
    for metric, name, own in _metrics(evaluation, ratings, training_negatives):
        kind = metric_class(metric)
        config = {"name": name, "source_digest": source_digest, **own}
        metrics.append(
            config_pb2.MetricConfig(
                module=kind.__module__,
                class_name=kind.__name__,
                config=json.dumps(config, sort_keys=True),
            )
        )
    for name, threshold in _thresholds(evaluation, gate).items():
        (metric_config,) = (m for m in metrics if f'"{name}"' in m.config)
        metric_config.per_slice_thresholds.append(
            config_pb2.PerSliceMetricThreshold(
                slicing_specs=[config_pb2.SlicingSpec()], threshold=threshold
            )
        )
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                name=tfma.constants.CANDIDATE_KEY,
                signature_name=_RANK,
                preprocessing_function_names=[_USER_SLICES, _TARGET_SLICES],
            ),
            # The candidate alone says how popular a target is: a row whose two
            # models disagreed would count in two slices.
            config_pb2.ModelSpec(
                name=tfma.constants.BASELINE_KEY,
                signature_name=_RANK,
                preprocessing_function_names=[_USER_SLICES],
                is_baseline=True,
            ),
        ],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=s.split(CROSS)) for s in evaluation.slices),
        ],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
        options=config_pb2.Options(include_default_metrics={"value": False}),
    )


def _metrics(
    evaluation: EvaluationConfig, ratings: bool, training_negatives: int
) -> Iterator[tuple[str, str, dict[str, str | int]]]:
    """What to compute: metric, name, and settings of its class."""
    cut_offs = (evaluation.k, *evaluation.more_k)
    for protocol, metric in itertools.product(evaluation.protocols, evaluation.metrics):
        kind = metric_class(metric)
        if not issubclass(kind, TargetMetric):
            continue
        common: dict[str, str | int] = {"protocol": protocol, "ties": evaluation.ties}
        for k in cut_offs if issubclass(kind, CutOffMetric) else (None,):
            own = common if k is None else {**common, "k": k}
            for subject in ("", "popularity"):
                name = metric_name(metric, k, protocol, subject)
                yield metric, name, {**own, "subject": subject or "model"}
            name = metric_name(f"{metric}_lift", k, protocol)
            yield metric, name, {**own, "subject": "lift"}
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


def _thresholds(
    evaluation: EvaluationConfig, gate: GateConfig
) -> dict[str, config_pb2.MetricThreshold]:
    """Thresholds by metric name: the rules of the gate that TFMA can express.

    They make TFMA's own validation say what components.evaluator.gate.rules says of them; whether
    a model is blessed, components.evaluator.gate.rules decides.
    """
    hr, ndcg, lift = (
        metric_name(metric, evaluation.k, gate.protocol) for metric in ("hr", "ndcg", "ndcg_lift")
    )
    # A figure that is NaN is below this too.
    thresholds = {ndcg: _at_least(gate.min_ndcg or 0.0)}
    for name, allowed in (("relative", gate.max_drop), ("absolute", gate.max_drop_absolute)):
        if allowed is not None:
            change = thresholds[ndcg].change_threshold
            change.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
            getattr(change, name).value = -allowed
    if gate.min_hr is not None:
        thresholds[hr] = _at_least(gate.min_hr)
    if gate.must_beat_popularity:
        thresholds[lift] = _at_least(_MORE_THAN_NOTHING)
    if gate.max_rmse is not None:
        thresholds["rmse"] = config_pb2.MetricThreshold(
            value_threshold=config_pb2.GenericValueThreshold(upper_bound={"value": gate.max_rmse})
        )
    return thresholds


def _at_least(bound: float) -> config_pb2.MetricThreshold:
    return config_pb2.MetricThreshold(
        value_threshold=config_pb2.GenericValueThreshold(lower_bound={"value": bound})
    )
