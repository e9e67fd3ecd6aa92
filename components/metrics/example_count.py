"""The rows of a slice, as TFMA's own metric of that name counts them."""

from __future__ import annotations

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.gather import ROW_COUNT, gather_computation


class RowCount(tfma.metrics.Metric):
    """Count rows, those without targets among them.

    TFMA's ExampleCount counts extracts, and an extract here is all rows that a
    slice has of a batch.

    Args:
      name: of the metric.
    """

    def __init__(self, name: str) -> None:
        super().__init__(self._computations, name=name)

    def _computations(self, model_names: list[str], **_: object) -> metric_types.MetricComputations:
        def counts(
            metrics: dict[metric_types.MetricKey, object],
        ) -> dict[metric_types.MetricKey, object]:
            return {
                metric_types.MetricKey(self.name, model_name=model): metrics[key]
                for model in model_names
                if (key := metric_types.MetricKey(ROW_COUNT, model_name=model)) in metrics
            }

        keys = [metric_types.MetricKey(self.name, model_name=model) for model in model_names]
        return [
            gather_computation(model_names),
            metric_types.DerivedMetricComputation(keys=keys, result=counts),
        ]
