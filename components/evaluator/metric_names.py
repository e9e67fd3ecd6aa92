"""Names of the figures that an evaluation writes; no TensorFlow import."""

from __future__ import annotations

# Rows of a slice, beside its figures.
EXAMPLE_COUNT = "example_count"
# Metrics of models that predict ratings.
RATING_METRICS = ("rmse", "mae")


def metric_name(metric: str, k: int | None, protocol: str, subject: str = "") -> str:
    """Name a metric, such as "popularity_ndcg@10_full", "auc_lift_full" or "coverage@10".

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
