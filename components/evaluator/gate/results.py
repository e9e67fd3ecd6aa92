"""Figures of an evaluation, by slice; no TensorFlow import."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Hold a figure with the ends of its 95 % interval (bootstrap over users).

    Attributes:
      value: the figure.
      lower: lower end.
      upper: upper end.
    """

    value: float
    lower: float
    upper: float


@dataclasses.dataclass(frozen=True)
class SliceResult:
    """Hold the figures of one slice.

    Attributes:
      feature: one of the evaluation's slices, such as "age_group" or the cross
        "gender*age_group"; "" for the overall slice.
      value: of that feature, such as "25-34" or "F*25-34"; "" for the overall
        slice. A row may be in several slices of one feature (target_genre).
      count: rows in the slice, which are users.
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
