"""Gathers the ranks of a slice's rows once, and turns functions of them into metrics.

Called by the metrics of this package. All metrics of an evaluation share one
combiner, whose accumulator is a flat array of integers; means and intervals
come after it, for every metric and model of a slice together.
"""

from __future__ import annotations

import array
import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils import math_util

from components.metrics import bootstrap
from schema import features

MODEL = "model"
POPULARITY = "popularity"
PROTOCOLS = ("full", "sampled")

_USER = "user_fingerprint"
_COUNTS = tuple(
    f"{subject}{protocol}_{count}"
    for subject in ("", f"{POPULARITY}_")
    for protocol in PROTOCOLS
    for count in ("greater", "ties")
)
# Float outputs of models that predict ratings, gathered as the bits of a float32.
_RATINGS = (features.TARGET_SCORE, features.TARGET_RATING)
_COLUMNS = (_USER, *_COUNTS, *_RATINGS)
# TFMA drops keys that begin with "_" before it writes results.
_RANKS = "_ranks"
_PER_USER = "_per_user "
_PER_USER_SQUARED = "_per_user_squared "
# TFMA takes a relative change against exactly 0 for a failure, so a baseline
# that hits nothing could never be replaced.
_LEAST_BASELINE = 1e-12


@dataclasses.dataclass(frozen=True)
class RankTable:
    """Ranks of N rows of a slice by one model.

    Attributes:
      columns: int64 [N] by output name of the `rank` signature.
    """

    columns: dict[str, np.ndarray]

    @property
    def users(self) -> np.ndarray:
        """Fingerprints of the users, int64 [N]."""
        return self.columns[_USER]

    def errors(self) -> np.ndarray:
        """Predicted less given ratings, float64 [N], NaN without a prediction."""
        predicted, given = (
            self.columns[name].astype(np.int32).view(np.float32).astype(np.float64)
            for name in _RATINGS
        )
        return predicted - given

    def counts(self, protocol: str, subject: str) -> tuple[np.ndarray, np.ndarray]:
        """Candidates scored better than the target, and those scored equal.

        Args:
          protocol: one of PROTOCOLS.
          subject: MODEL or POPULARITY, which of the two scored.

        Returns:
          int64 [N] twice.
        """
        prefix = f"{POPULARITY}_{protocol}" if subject == POPULARITY else protocol
        return self.columns[f"{prefix}_greater"], self.columns[f"{prefix}_ties"]


PerUser = Callable[[RankTable], np.ndarray]


def rank_computations(
    name: str,
    per_user: PerUser,
    model_names: list[str],
    eval_config: config_pb2.EvalConfig,
    root: bool = False,
) -> metric_types.MetricComputations:
    """Computations of the mean over rows of a function of the ranks.

    Args:
      name: of the metric; thresholds need it equal to the MetricConfig's.
      per_user: gives float64 [N] of a RankTable; must be picklable.
      model_names: the models to compute it for.
      eval_config: says which model is the baseline.
      root: whether the metric is the square root of the mean.

    Returns:
      The shared gathering of ranks, this metric's mean, and the shared intervals.
    """
    keys = [metric_types.MetricKey(name=name, model_name=model) for model in model_names]
    prefix = _PER_USER_SQUARED if root else _PER_USER
    baselines = {spec.name for spec in eval_config.model_specs if spec.is_baseline}

    def means(
        metrics: dict[metric_types.MetricKey, object],
    ) -> dict[metric_types.MetricKey, object]:
        results: dict[metric_types.MetricKey, object] = {}
        for key in keys:
            table = metrics[metric_types.MetricKey(_RANKS, model_name=key.model_name)]
            assert isinstance(table, RankTable)
            values = per_user(table)
            mean = float(np.sqrt(values.mean()) if root else values.mean())
            if key.model_name in baselines and mean == 0:
                mean = _LEAST_BASELINE
            results |= {key: mean, key._replace(name=prefix + name): values}
        return results

    return [
        metric_types.MetricComputation(
            keys=[metric_types.MetricKey(_RANKS, model_name=model) for model in model_names],
            preprocessors=None,
            combiner=_GatherRanks(model_names),
        ),
        metric_types.DerivedMetricComputation(keys=keys, result=means),
        # Equal for all metrics, so TFMA keeps one of them.
        metric_types.CIDerivedMetricComputation(keys=[], result=_with_intervals),
    ]


class _GatherRanks(beam.CombineFn):
    """Appends each row's user and ranks, of all models, to one flat array."""

    def __init__(self, model_names: list[str]) -> None:
        self._models = model_names

    def create_accumulator(self) -> array.array:
        return array.array("q")

    def add_input(
        self, accumulator: array.array, element: metric_types.StandardMetricInputs
    ) -> array.array:
        for model in self._models:
            outputs = element.get_predictions(model)
            accumulator.extend(outputs[name].item() for name in (_USER, *_COUNTS))
            accumulator.extend(_bits(outputs, name) for name in _RATINGS)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[array.array]) -> array.array:
        merged = array.array("q")
        for accumulator in accumulators:
            merged.extend(accumulator)
        return merged

    def extract_output(self, accumulator: array.array) -> dict[metric_types.MetricKey, RankTable]:
        width = len(self._models) * len(_COLUMNS)
        rows = np.asarray(accumulator, np.int64).reshape(-1, width)
        # Rows arrive in any order; sums of floats must not.
        rows = rows[np.lexsort(rows.T[::-1])]
        parts = np.split(rows.T, len(self._models))
        return {
            metric_types.MetricKey(_RANKS, model_name=model): RankTable(
                dict(zip(_COLUMNS, part, strict=True))
            )
            for model, part in zip(self._models, parts, strict=True)
        }


def _bits(outputs: Mapping[str, np.ndarray], name: str) -> int:
    """A float32 output as an integer; NaN where the model has no such output."""
    value = outputs[name].item() if name in outputs else np.nan
    return int(np.float32(value).view(np.int32))


def _with_intervals(
    metrics: dict[metric_types.MetricKey, object],
) -> dict[metric_types.MetricKey, object]:
    """Adds 95 % intervals to a slice's means and to their changes against the baseline."""
    rows: dict[metric_types.MetricKey, np.ndarray] = {}
    squared: list[metric_types.MetricKey] = []
    for key, values in metrics.items():
        for prefix in (_PER_USER, _PER_USER_SQUARED):
            if key.name.startswith(prefix):
                assert isinstance(values, np.ndarray)
                public = key._replace(name=key.name.removeprefix(prefix))
                rows[public] = values
                squared += [public] if prefix == _PER_USER_SQUARED else []
    users = next(table.users for table in metrics.values() if isinstance(table, RankTable))
    means = bootstrap.means(np.stack(list(rows.values()), axis=1), users)
    resampled = dict(zip(rows, means.T, strict=True))
    resampled |= {key: np.sqrt(resampled[key]) for key in squared}
    for key in [key for key in metrics if key.is_diff and key._replace(is_diff=False) in rows]:
        (baseline,) = (
            other for other in rows if other.name == key.name and other.model_name != key.model_name
        )
        resampled[key] = resampled[key._replace(is_diff=False)] - resampled[baseline]
    ends = bootstrap.ends(np.stack(list(resampled.values()), axis=1))
    return {
        key: _with_interval(metrics[key], lower, upper)
        for key, lower, upper in zip(resampled, *ends, strict=True)
    }


def _with_interval(value: object, lower: float, upper: float) -> object:
    """Puts an interval into TFMA's type for one.

    TFMA keeps a mean and a deviation and works out the ends when it writes
    them, so those two are chosen to give our ends.
    """
    make = functools.partial(
        tfma.types.ValueWithTDistribution,
        sample_degrees_of_freedom=bootstrap.RESAMPLES - 1,
        unsampled_value=value,
    )
    _, _, reach = math_util.calculate_confidence_interval(make(0.0, 1.0))
    return make(float(lower + upper) / 2, float(upper - lower) / 2 / float(reach))
