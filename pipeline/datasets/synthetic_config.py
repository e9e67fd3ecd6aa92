"""What a synthetic dataset is asked for with: `synthetic:users=..,items=..,interactions=..`.

No NumPy import.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from schema.errors import UserError
from schema.settings import check, check_choice

PREFIX = "synthetic:"
# The layout of the generated files, one of pipeline.config.FORMATS.
FORMAT = "ml-1m"
# Of a user: leave-one-out takes the last two away from training.
MIN_INTERACTIONS = 3
MAX_GROUPS = 18

_SIZES = ("users", "items", "interactions")
# Part of the digest: raised when the same parameters come to give other data.
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class SyntheticConfig:
    """Sizes and planted structure; the formulas stand in pipeline.datasets.synthetic.

    Attributes:
      users: how many; every one has at least MIN_INTERACTIONS interactions.
      items: how many the catalog lists; rare ones may have no interaction.
      interactions: how many, exactly; no (user, item) pair occurs twice.
      groups: hidden groups of users, each with a genre it prefers; at most
        MAX_GROUPS, the genres of MovieLens.
      affinity: share of draws from the preferred genre alone, of which those
        of items that the user has are drawn anew; 0 plants nothing for a model
        to find but popularity.
      skew: Zipf exponent of the items' popularity; 0 makes all alike.
      seed: of everything drawn.
    """

    users: int
    items: int
    interactions: int
    groups: int = 8
    affinity: float = 0.7
    skew: float = 0.8
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("users", "items"):
            value = getattr(self, name)
            check(value >= 1, f"{name}: expected at least 1, got {value}.")
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
        check(0 <= self.affinity < 1, f"affinity: expected in [0, 1), got {self.affinity}.")
        check(0 <= self.skew <= 5, f"skew: expected in [0, 5], got {self.skew}.")
        check(self.seed >= 0, f"seed: expected 0 or more, got {self.seed}.")

    @property
    def text(self) -> str:
        """Every parameter, as `parse` reads them."""
        values = dataclasses.asdict(self)
        return PREFIX + ",".join(f"{name}={value}" for name, value in values.items())

    @property
    def name(self) -> str:
        """Of the folder in the cache: sizes, and a digest of all parameters."""
        content = json.dumps([_VERSION, dataclasses.asdict(self)])
        digest = hashlib.sha256(content.encode()).hexdigest()[:8]
        return f"synthetic-{self.users}-{self.items}-{self.interactions}-{digest}"


def parse(text: str) -> SyntheticConfig:
    """Reads what follows `--data`.

    Args:
      text: PREFIX, then KEY=VALUE pairs in any order with commas between; digits
        may be grouped, as in 25_000_000.

    Returns:
      The parameters, checked.

    Raises:
      UserError: not KEY=VALUE, a key unknown (the nearest is named), twice or
        missing, a value of the wrong type, or sizes that cannot be.
    """
    types = {f.name: int if f.type == "int" else float for f in dataclasses.fields(SyntheticConfig)}
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
