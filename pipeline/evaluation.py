"""Reads the figures that the Evaluator wrote, by slice.

Called by pipeline.verdict and pipeline.summary.
"""

from __future__ import annotations

import dataclasses
import math
import re

import tensorflow_model_analysis as tfma

from pipeline.eval_config import EXAMPLE_COUNT, SLICES


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean over users with the ends of its 95 % interval (bootstrap over users).

    Attributes:
      value: the mean.
      lower: lower end.
      upper: upper end.
    """

    value: float
    lower: float
    upper: float


@dataclasses.dataclass(frozen=True)
class SliceResult:
    """Figures of one slice.

    Attributes:
      feature: one of pipeline.eval_config.SLICES; "" for the overall slice.
      value: of that feature, such as "25-34"; "" for the overall slice.
      count: rows in the slice: users, or held-out ratings of a random split.
      metrics: of the candidate, by metric name.
      baseline: of the last blessed model; empty on a first run.
      change: the candidate's less the baseline's, with paired intervals; empty
        on a first run.
    """

    feature: str
    value: str
    count: int
    metrics: dict[str, Estimate]
    baseline: dict[str, Estimate]
    change: dict[str, Estimate]


def read_metrics(evaluation_uri: str) -> list[SliceResult]:
    """Reads the figures of all slices.

    Args:
      evaluation_uri: of a ModelEvaluation artifact.

    Returns:
      The overall slice first, then slices in the order of SLICES and, within a
      feature, in the order of the numbers in their values.
    """
    results = [_slice_result(record) for record in tfma.load_metrics(evaluation_uri)]
    return sorted(results, key=_place)


def _slice_result(record: tfma.proto.metrics_for_slice_pb2.MetricsForSlice) -> SliceResult:
    metrics: dict[str, Estimate] = {}
    baseline: dict[str, Estimate] = {}
    change: dict[str, Estimate] = {}
    count = 0
    for entry in record.metric_keys_and_values:
        value = entry.value.double_value.value
        if entry.key.name == EXAMPLE_COUNT:
            count = count if entry.key.is_diff else int(value)
            continue
        ends = entry.confidence_interval
        estimate = Estimate(
            value, ends.lower_bound.double_value.value, ends.upper_bound.double_value.value
        )
        if entry.key.is_diff:
            change[entry.key.name] = estimate
        elif entry.key.model_name == tfma.BASELINE_KEY:
            baseline[entry.key.name] = estimate
        else:
            metrics[entry.key.name] = estimate
    feature, value_name = _slice_of(record.slice_key)
    return SliceResult(feature, value_name, count, metrics, baseline, change)


def _slice_of(key: tfma.proto.metrics_for_slice_pb2.SliceKey) -> tuple[str, str]:
    if not key.single_slice_keys:
        return "", ""
    (single,) = key.single_slice_keys
    value = getattr(single, single.WhichOneof("kind"))
    return single.column, value.decode() if isinstance(value, bytes) else str(value)


def _place(result: SliceResult) -> tuple[int, list[float], str]:
    numbers = [float(number) for number in re.findall(r"\d+", result.value)]
    feature = ("", *SLICES).index(result.feature)
    return feature, numbers or [math.inf], result.value
