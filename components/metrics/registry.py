"""The metrics' classes by name: a metric is the module of its name and the class in it."""

from __future__ import annotations

import importlib

from components.metrics.base import RankMetric


def metric_class(name: str) -> type[RankMetric]:
    """Find the class of a metric.

    Args:
      name: one of trainer.config.evaluation.METRICS, or of the metrics of ratings.

    Returns:
      The one metric that the module of that name defines.
    """
    module = importlib.import_module(f"components.metrics.{name}")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, RankMetric)
        and value.__module__ == module.__name__
    )
    return found
