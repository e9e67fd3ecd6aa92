"""What the Evaluator measures, on which slices, and what a model must reach.

The only thresholds of the project. Called by pipeline.pipeline; the names made
here are those that pipeline.evaluation reads back.
"""

from __future__ import annotations

import json

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from pipeline.gate import GateConfig
from schema import features
from trainer.evaluation_config import EvaluationConfig

SLICES = (
    features.GENDER,
    features.AGE_GROUP,
    features.OCCUPATION,
    features.ACTIVITY,
    features.TARGET_POPULARITY,
)
EXAMPLE_COUNT = "example_count"
# Metrics of models that predict ratings, by name.
RATING_METRICS = {"rmse": "RatingRMSE", "mae": "RatingMAE"}

# Signatures of the judge of a model (trainer.judging).
_RANK = "rank"
_USER_SLICES = "user_slices"
_TARGET_SLICES = "target_slices"
# TFMA's bounds are inclusive: this is "more than popularity".
_MORE_THAN_NOTHING = 1e-9


def metric_name(metric: str, k: int, protocol: str, subject: str = "") -> str:
    """Name of a metric, such as "popularity_ndcg@10_full".

    Args:
      metric: "hr", "ndcg" or "ndcg_lift".
      k: cut-off.
      protocol: its name.
      subject: "" for the model, or "popularity".

    Returns:
      The name.
    """
    return f"{subject}{'_' if subject else ''}{metric}@{k}_{protocol}"


def build_eval_config(
    evaluation: EvaluationConfig, gate: GateConfig, source_digest: str, ratings: bool = False
) -> config_pb2.EvalConfig:
    """Describes the evaluation to the stock Evaluator.

    Args:
      evaluation: protocols and cut-off of the metrics.
      gate: thresholds.
      source_digest: of the metrics' code; the Evaluator's cache key has no
        other place for it.
      ratings: whether the model predicts ratings, which are then measured too.

    Returns:
      The configuration, with the candidate and the last blessed model as
      baseline; TFX drops the latter and its thresholds on a first run.
    """
    metrics = [config_pb2.MetricConfig(class_name="ExampleCount")]
    for which in evaluation.protocols:
        common: dict[str, str | int] = {
            "k": evaluation.k,
            "protocol": which,
            "source_digest": source_digest,
        }
        for subject in ("", "popularity"):
            own = {**common, "subject": subject or "model"}
            for metric, class_name in (("hr", "RankHitRate"), ("ndcg", "RankNDCG")):
                name = metric_name(metric, evaluation.k, which, subject)
                metrics.append(_metric(f"components.metrics.{metric}", class_name, name, own))
        name = metric_name("ndcg_lift", evaluation.k, which)
        metrics.append(_metric("components.metrics.lift", "PopularityLift", name, common))
    if ratings:
        metrics += [
            _metric(
                f"components.metrics.{name}", class_name, name, {"source_digest": source_digest}
            )
            for name, class_name in RATING_METRICS.items()
        ]
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
                name=tfma.CANDIDATE_KEY,
                signature_name=_RANK,
                preprocessing_function_names=[_USER_SLICES, _TARGET_SLICES],
            ),
            # The candidate alone says how popular a target is: a row whose two
            # models disagreed would count in two slices.
            config_pb2.ModelSpec(
                name=tfma.BASELINE_KEY,
                signature_name=_RANK,
                preprocessing_function_names=[_USER_SLICES],
                is_baseline=True,
            ),
        ],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[feature]) for feature in SLICES),
        ],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
        options=config_pb2.Options(include_default_metrics={"value": False}),
    )


def _metric(
    module: str, class_name: str, name: str, settings: dict[str, str | int]
) -> config_pb2.MetricConfig:
    config = json.dumps({"name": name, **settings}, sort_keys=True)
    return config_pb2.MetricConfig(module=module, class_name=class_name, config=config)


def _thresholds(
    evaluation: EvaluationConfig, gate: GateConfig
) -> dict[str, config_pb2.MetricThreshold]:
    """Thresholds by metric name."""
    hr, ndcg, lift = (
        metric_name(metric, evaluation.k, gate.protocol) for metric in ("hr", "ndcg", "ndcg_lift")
    )
    # TFX blesses nothing where there is no threshold at all, hence the 0.
    thresholds = {ndcg: _at_least(gate.min_ndcg or 0.0)}
    if gate.max_drop is not None:
        thresholds[ndcg].change_threshold.CopyFrom(
            config_pb2.GenericChangeThreshold(
                direction=config_pb2.MetricDirection.HIGHER_IS_BETTER,
                relative={"value": -gate.max_drop},
            )
        )
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
