"""Values that a search may give to a setting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag, model_validator

from schema.settings import Items, Number, Positive, Settings, check


class Range(Settings):
    """Range over numbers from `low` to `high`, both included."""

    low: Number
    """The smallest; whole for keys that hold whole numbers, as are the others."""
    high: Number
    """The largest."""
    log: bool = False
    """Draw the logarithm evenly, for what spans orders of magnitude."""
    step: Positive | None = None
    """Draw only low, low + step, and so on; null draws any."""

    @model_validator(mode="after")
    def _check(self) -> Range:
        check(self.low < self.high, f"low: expected below high {self.high:g}, got {self.low:g}.")
        check(not self.log or self.low > 0, f"low: expected > 0 with log, got {self.low:g}.")
        step = self.step
        check(step is None or not self.log, f"step: expected null with log, got {step}.")
        return self

    def holds(self, value: float) -> bool:
        """Tell whether a draw can give a value.

        Args:
          value: any number.
        """
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return self.low <= value <= self.high and math.isclose(steps, round(steps), abs_tol=1e-9)


def _form(value: Any) -> str:
    return "[range]" if isinstance(value, Mapping | Range) else "[list]"


# The values of one key: a list of choices, or a range, by what was written.
Domain = Annotated[
    Annotated[Items[Any], Tag("[list]")] | Annotated[Range, Tag("[range]")], Discriminator(_form)
]
