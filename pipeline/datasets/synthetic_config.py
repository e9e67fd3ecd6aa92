"""What a synthetic dataset is asked for with: `synthetic:users=..,items=..,interactions=..`.

No NumPy import.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import Field, model_validator

from schema.errors import UserError
from schema.settings import (
    READS_TEXT,
    Count,
    PositiveCount,
    Seed,
    Settings,
    ShareBelowOne,
    check,
    check_choice,
)

PREFIX = "synthetic:"
# The layout of the generated files, one of pipeline.config.FORMATS.
FORMAT = "ml-1m"
# Of a user: leave-one-out takes the last two away from training.
MIN_INTERACTIONS = 3
MAX_GROUPS = 18

_SIZES = ("users", "items", "interactions")
# Part of the digest: raised when the same parameters come to give other data.
_VERSION = 1


class SyntheticConfig(Settings):
    """Hold sizes and planted structure; the formulas stand in pipeline.datasets.synthetic."""

    users: PositiveCount
    """How many; every one has at least MIN_INTERACTIONS interactions."""
    items: PositiveCount
    """How many the catalog lists; rare ones may have no interaction."""
    interactions: Count
    """How many, exactly; no (user, item) pair occurs twice."""
    groups: int = 8
    """Hidden groups of users, each with a genre it prefers; at most MAX_GROUPS, the genres of
    MovieLens.
    """
    affinity: ShareBelowOne = 0.7
    """Share of draws from the preferred genre alone, of which those of items that the user has are
    drawn anew; 0 plants nothing for a model to find but popularity.
    """
    skew: Annotated[float, Field(ge=0, le=5), READS_TEXT] = 0.8
    """Zipf exponent of the items' popularity; 0 makes all alike."""
    seed: Seed = 0
    """Of everything drawn."""

    @model_validator(mode="after")
    def _check(self) -> SyntheticConfig:
        least, most = MIN_INTERACTIONS * self.users, self.users * self.items
        check(
            self.items >= MIN_INTERACTIONS,
            f"items: expected at least {MIN_INTERACTIONS}, as every user has that many "
            f"interactions, got {self.items}.",
        )
        check(
            least <= self.interactions <= most,
            f"interactions: expected {least} to {most} with {self.users} users and {self.items} "
            f"items ({MIN_INTERACTIONS} a user or more, no pair twice), got {self.interactions}.",
        )
        groups = min(MAX_GROUPS, self.items)
        check(
            1 <= self.groups <= groups,
            f"groups: expected 1 to {groups} with {self.items} items, got {self.groups}.",
        )
        return self

    @property
    def text(self) -> str:
        """Every parameter, as `parse` reads them."""
        values = self.model_dump()
        return PREFIX + ",".join(f"{name}={value}" for name, value in values.items())

    @property
    def name(self) -> str:
        """Of the folder in the cache: sizes, and a digest of all parameters."""
        content = json.dumps([_VERSION, self.model_dump()])
        digest = hashlib.sha256(content.encode()).hexdigest()[:8]
        return f"synthetic-{self.users}-{self.items}-{self.interactions}-{digest}"


def parse(text: str) -> SyntheticConfig:
    """Read what follows `--data`.

    Args:
      text: PREFIX, then KEY=VALUE pairs in any order with commas between; digits
        may be grouped, as in 25_000_000.

    Returns:
      The parameters, checked.

    Raises:
      UserError: not KEY=VALUE, a key unknown (the nearest is named), twice or
        missing, a value of the wrong type, or sizes that cannot be.
    """
    types = {
        k: int if f.annotation is int else float for k, f in SyntheticConfig.model_fields.items()
    }
    values: dict[str, Any] = {}
    try:
        for pair in text.removeprefix(PREFIX).split(","):
            key, separator, value = (part.strip() for part in pair.partition("="))
            check(bool(separator), f"expected KEY=VALUE pairs with commas between, got {pair!r}.")
            check_choice("key", key, tuple(types))
            check(key not in values, f"{key}: given twice.")
            values[key] = _number(key, value, types[key])
        missing = [name for name in _SIZES if name not in values]
        check(not missing, f"expected {', '.join(_SIZES)}; {' and '.join(missing)} missing.")
        return SyntheticConfig(**values)
    except UserError as error:
        raise UserError(f"synthetic: {error}") from None


def _number(key: str, text: str, kind: type[int] | type[float]) -> int | float:
    try:
        return kind(text)
    except ValueError:
        expected = "an integer" if kind is int else "a number"
        raise UserError(f"{key}: expected {expected}, got {text!r}.") from None
