"""Gives a slice's figures, and their changes against the baseline, their intervals."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.utils import math_util

from components.metrics import bootstrap
from components.metrics.table import RankTable

# TFMA drops keys that begin with "_" before it writes results.
_ROWS = "_rows "


@dataclasses.dataclass(frozen=True)
class RowValues:
    """Hold the values that a metric is the weighted mean of.

    Attributes:
      values: float64 [N].
      weights: float64 [N], 0 or more.
      root: whether the metric is the square root of the mean.
    """

    values: np.ndarray
    weights: np.ndarray
    root: bool

    @staticmethod
    def key_of(key: metric_types.MetricKey) -> metric_types.MetricKey:
        """Return the private key under which the rows of a metric are handed on."""
        return key._replace(name=_ROWS + key.name)


def with_intervals(
    metrics: dict[metric_types.MetricKey, object],
) -> dict[metric_types.MetricKey, object]:
    """Give a slice's means and changes 95 % intervals.

    Args:
      metrics: of a slice: means, their changes, RowValues under private keys
        and a RankTable.

    Returns:
      The means and changes by their keys, in TFMA's type for an interval.
    """
    rows = {
        key._replace(name=key.name.removeprefix(_ROWS)): value
        for key, value in metrics.items()
        if isinstance(value, RowValues)
    }
    if not rows:
        return {}
    users = next(table.users for table in metrics.values() if isinstance(table, RankTable))
    means = bootstrap.means([(row.values, row.weights) for row in rows.values()], users)
    resampled = {
        key: np.sqrt(column) if rows[key].root else column
        for key, column in zip(rows, means.T, strict=True)
    }
    for key in [key for key in metrics if key.is_diff and key._replace(is_diff=False) in rows]:
        baseline = next(
            other for other in rows if other.name == key.name and other.model_name != key.model_name
        )
        resampled[key] = resampled[key._replace(is_diff=False)] - resampled[baseline]
    ends = bootstrap.ends(np.stack(list(resampled.values()), axis=1))
    return {
        key: _with_interval(metrics[key], lower, upper)
        for key, lower, upper in zip(resampled, *ends, strict=True)
    }


def _with_interval(value: object, lower: float, upper: float) -> object:
    """Put an interval into TFMA's type for one.

    TFMA keeps a mean and a deviation and works out the ends when it writes
    them, so those two are chosen to give our ends.
    """
    middle, half = float(lower + upper) / 2, float(upper - lower) / 2
    return tfma.types.ValueWithTDistribution(
        sample_mean=middle,
        sample_standard_deviation=half / _reach(),
        sample_degrees_of_freedom=bootstrap.RESAMPLES - 1,
        unsampled_value=value,
    )


@functools.cache
def _reach() -> float:
    """Tell how many deviations from the mean TFMA puts the ends."""
    unit = tfma.types.ValueWithTDistribution(0.0, 1.0, bootstrap.RESAMPLES - 1, 0.0)
    _, _, upper = math_util.calculate_confidence_interval(unit)
    return float(upper)
