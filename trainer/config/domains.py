"""Values that a search may give to a setting."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from schema.settings import check


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes:
      low: the smallest; whole for keys that hold whole numbers, as are the others.
      high: the largest.
      log: draw the logarithm evenly, for what spans orders of magnitude.
      step: draw only low, low + step, and so on; null draws any.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        check(self.low < self.high, f"low: expected below high {self.high:g}, got {self.low:g}.")
        check(not self.log or self.low > 0, f"low: expected > 0 with log, got {self.low:g}.")
        step = self.step
        check(step is None or step > 0, f"step: expected > 0, got {step}.")
        check(step is None or not self.log, f"step: expected null with log, got {step}.")

    def holds(self, value: float) -> bool:
        """Whether a draw can give a value.

        Args:
          value: any number.
        """
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return self.low <= value <= self.high and math.isclose(steps, round(steps), abs_tol=1e-9)


# The values of one key: a list of choices, or a range.
Domain = tuple[Any, ...] | Range
