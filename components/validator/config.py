"""What is done about examples that do not fit the schema; no TensorFlow import.

Composed in pipeline.config as `data.validation`.
"""

from __future__ import annotations

from typing import Final, Literal

from schema.settings import Settings, Share

WARN: Final = "warn"
STOP: Final = "stop"
Action = Literal["warn", "stop"]


class ValidationConfig(Settings):
    """Say which findings stop a run and which are only told."""

    anomalies: Action = STOP
    """Values, types or presence other than the schema's: "stop" or "warn". An empty split always
    stops.
    """
    skew: Action = WARN
    """A feature that is distributed otherwise in a held-out split than in `train`, as is common
    where splits go by time or users: "warn" or "stop".
    """
    skew_threshold: Share | None = None
    """Distance from which on distributions differ, for every feature that the schema has a skew
    comparator for: Jensen-Shannon divergence of numbers, largest difference of a value's share of
    texts; null for the thresholds in the schema (0.3).
    """
