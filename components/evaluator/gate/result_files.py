"""Reads the figures that TFMA wrote."""

from __future__ import annotations

import math
import re

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.writers import eval_config_writer

from components.evaluator.gate.results import Estimate, SliceResult
from components.evaluator.metric_names import EXAMPLE_COUNT
from trainer.config.evaluation import CROSS


def read_metrics(evaluation_uri: str) -> list[SliceResult]:
    """Read the figures of all slices.

    Args:
      evaluation_uri: of a ModelEvaluation artifact.

    Returns:
      The overall slice first, then slices in the order in which they were asked
      for and, within a feature, in the order of the numbers in their values.
    """
    asked = _slices(evaluation_uri)
    results = [_slice_result(record, asked) for record in tfma.load_metrics(evaluation_uri)]
    # An empty text pads a row with fewer values than others have.
    named = [r for r in results if not r.feature or "" not in r.value.split(CROSS)]
    return sorted(named, key=lambda result: _order(result, asked))


def _slices(evaluation_uri: str) -> list[tuple[str, ...]]:
    """Features of each slicing, as asked for."""
    config, *_ = eval_config_writer.load_eval_run(evaluation_uri)
    return [tuple(spec.feature_keys) for spec in config.slicing_specs]


def _slice_result(
    record: tfma.proto.metrics_for_slice_pb2.MetricsForSlice, asked: list[tuple[str, ...]]
) -> SliceResult:
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
        elif entry.key.model_name == tfma.constants.BASELINE_KEY:
            baseline[entry.key.name] = estimate
        else:
            metrics[entry.key.name] = estimate
    feature, value_name = _slice_of(record.slice_key, asked)
    return SliceResult(feature, value_name, count, metrics, baseline, change)


def _slice_of(
    key: tfma.proto.metrics_for_slice_pb2.SliceKey, asked: list[tuple[str, ...]]
) -> tuple[str, str]:
    """Feature and value; a cross as it was asked for, since TFMA sorts its features."""
    values = {}
    for single in key.single_slice_keys:
        value = getattr(single, single.WhichOneof("kind"))
        values[single.column] = value.decode() if isinstance(value, bytes) else str(value)
    (columns,) = (columns for columns in asked if set(columns) == set(values))
    return CROSS.join(columns), CROSS.join(values[column] for column in columns)


def _order(
    result: SliceResult, asked: list[tuple[str, ...]]
) -> tuple[int, list[tuple[list[float], str]]]:
    features = tuple(result.feature.split(CROSS)) if result.feature else ()
    values = []
    for value in result.value.split(CROSS):
        numbers = [float(number) for number in re.findall(r"\d+", value)]
        values.append((numbers or [math.inf], value))
    return asked.index(features), values
