"""The base of all metrics: a weighted mean over rows, for each model, with an interval.

A metric says what each row is
worth (`values`) and how much the row counts (`weights`); gathering, means and
intervals are done here, once for all metrics of an evaluation.
"""

from __future__ import annotations

import abc

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.gather import TABLE, gather_computation
from components.metrics.intervals import RowValues, with_intervals
from components.metrics.rank_outputs import LIFT, MODEL, POPULARITY, RankOutputs
from components.metrics.table import RankTable
from trainer.ops.tie_groups import AVERAGE, TieGroups


class RankMetric(tfma.metrics.Metric, abc.ABC):
    """Average a function of the `rank` signature's outputs over rows.

    Args:
      name: of the metric.
      source_digest: of this package's code; not read, but part of the
        Evaluator's cache key.
      **config: of a subclass; from the MetricConfig too.
    """

    # Whether the metric is the square root of the mean.
    root = False

    def __init__(self, name: str, source_digest: str = "", **config: object) -> None:
        super().__init__(self._computations, name=name, source_digest=source_digest, **config)

    @abc.abstractmethod
    def values(self, table: RankTable) -> np.ndarray:
        """Compute each row's value.

        Args:
          table: outputs of one model for N rows.

        Returns:
          float64 [N]; what it holds where the weight is 0 does not matter.
        """

    def weights(self, table: RankTable) -> np.ndarray:
        """Compute how much each row counts in the mean: 1 unless overridden.

        Args:
          table: outputs of one model for N rows.

        Returns:
          float64 [N], 0 or more.
        """
        return np.ones(len(table.users))

    def mean(self, rows: RowValues) -> float:
        """Compute the metric of some rows; NaN where none counts."""
        total = rows.weights.sum()
        mean = (rows.values * rows.weights).sum() / total if total > 0 else np.nan
        return float(np.sqrt(mean) if self.root else mean)

    def rows(self, table: RankTable) -> RowValues:
        """Compute the values and weights of a table's rows, fit to be summed."""
        weights = self.weights(table)
        return RowValues(np.where(weights > 0, self.values(table), 0.0), weights, self.root)

    def _computations(self, model_names: list[str], **_: object) -> metric_types.MetricComputations:
        keys = [metric_types.MetricKey(name=self.name, model_name=m) for m in model_names]

        def means(
            metrics: dict[metric_types.MetricKey, object],
        ) -> dict[metric_types.MetricKey, object]:
            results: dict[metric_types.MetricKey, object] = {}
            for key in keys:
                table = metrics.get(metric_types.MetricKey(TABLE, model_name=key.model_name))
                # A slice all of whose rows hold nothing out has no figures.
                if not isinstance(table, RankTable):
                    continue
                rows = self.rows(table)
                results |= {key: self.mean(rows), rows.key_of(key): rows}
            return results

        return [
            gather_computation(model_names),
            metric_types.DerivedMetricComputation(keys=keys, result=means),
            # Equal for all metrics, so TFMA keeps one of them.
            metric_types.CIDerivedMetricComputation(keys=[], result=with_intervals),
        ]


class TargetMetric(RankMetric):
    """Average a function of the positions of a row's targets under a protocol.

    Args:
      name: of the metric.
      protocol: name of the protocol.
      subject: whose ranking: MODEL's, POPULARITY's, or LIFT for the difference
        between the two, whose interval is a paired one.
      ties: rule of trainer.ops.tie_groups for equal scores.
      source_digest: see RankMetric.
      **config: of a subclass.
    """

    def __init__(
        self,
        name: str,
        protocol: str,
        subject: str = MODEL,
        ties: str = AVERAGE,
        source_digest: str = "",
        **config: object,
    ) -> None:
        super().__init__(
            name, source_digest, protocol=protocol, subject=subject, ties=ties, **config
        )
        self._protocol = protocol
        self._subject = subject
        self._ties = ties

    @abc.abstractmethod
    def per_user(self, tie_groups: TieGroups) -> np.ndarray:
        """Compute each row's value.

        Args:
          tie_groups: of the targets of N rows.

        Returns:
          float64 [N].
        """

    def values(self, table: RankTable) -> np.ndarray:
        """See RankMetric."""
        if self._subject != LIFT:
            return self.per_user(table.tie_groups(self._protocol, self._subject, self._ties))
        model = self.per_user(table.tie_groups(self._protocol, MODEL, self._ties))
        popularity = self.per_user(table.tie_groups(self._protocol, POPULARITY, self._ties))
        return model - popularity

    def weights(self, table: RankTable) -> np.ndarray:
        """Return the protocol's row weights, 0 for a row that MLPerf's rules leave out."""
        return table.row(RankOutputs.weight(self._protocol))


class CutOffMetric(TargetMetric):
    """Average a function of the first k positions.

    Args:
      name: of the metric.
      protocol: name of the protocol.
      k: cut-off.
      **config: see TargetMetric.
    """

    def __init__(self, name: str, protocol: str, k: int = 10, **config: str) -> None:
        super().__init__(name, protocol, k=k, **config)
        self.k = k


class ListMetric(RankMetric):
    """Average a function of the lists that users are served, which needs no target.

    Rows with an empty list do not count.

    Args:
      name: of the metric.
      k: length of the lists.
      source_digest: see RankMetric.

    Attributes:
      k_alone: whether the `rank` signature works it out, for lists as long as
        they are, so that there are no further cut-offs.
    """

    k_alone = False

    def __init__(self, name: str, k: int = 10, source_digest: str = "") -> None:
        super().__init__(name, source_digest, k=k)
        self.k = k

    def weights(self, table: RankTable) -> np.ndarray:
        """Return 1 where the list holds anything, else 0."""
        return table.listed(self.k).any(axis=1).astype(np.float64)


class RatingMetric(RankMetric):
    """Average a function of the rating errors over held-out ratings.

    Ratings of items that the model's catalogue lacks do not count. NaN for a model
    whose `rank` signature gives no predicted ratings.
    """

    @abc.abstractmethod
    def per_user(self, errors: np.ndarray) -> np.ndarray:
        """Compute the value of each rating error: of float64 [M], float64 [M]."""

    def values(self, table: RankTable) -> np.ndarray:
        """Average over each row's ratings; see RankMetric."""
        errors = np.where(table.rated(), self.per_user(table.errors()), 0.0)
        return table.row_sums(errors) / np.maximum(self.weights(table), 1.0)

    def weights(self, table: RankTable) -> np.ndarray:
        """Count the ratings of each row."""
        return table.row_sums(table.rated().astype(np.float64))
