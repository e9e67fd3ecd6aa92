"""Settings of the ingest: what is kept of the raw interactions, and the split.

Read by components.example_gen.executor; composed in pipeline.config. The splits
are described in docs/splits.md.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import Field, model_validator

from schema.settings import READS_TEXT, Number, PositiveCount, Seed, Settings, check

Split = Literal["leave_one_out", "temporal", "user_ratio", "random"]
SPLITS: tuple[str, ...] = get_args(Split)
LEAVE_ONE_OUT: Final = "leave_one_out"
TEMPORAL: Final = "temporal"
USER_RATIO: Final = "user_ratio"
RANDOM: Final = "random"

NEWEST: Final = "newest"

# Splits that an option means something to; with another it has to be left out.
_OPTIONS = {
    "test_share": (TEMPORAL, USER_RATIO, RANDOM),
    "valid_share": (TEMPORAL, USER_RATIO, RANDOM),
    "draw": (USER_RATIO,),
}


class IngestConfig(Settings):
    """Say what the interactions generator keeps and holds out.

    Every split fills `valid`, without which no best epoch could be chosen.
    """

    min_rating: Number | None = None
    """Interactions rated lower are dropped; None keeps every rating (implicit feedback)."""
    min_user_interactions: PositiveCount = 1
    """Users with fewer distinct items are dropped."""
    min_item_interactions: PositiveCount = 1
    """Items with fewer distinct users are dropped; with the former, iterated until both hold
    (k-core).
    """
    split: Split = LEAVE_ONE_OUT
    """What is held out: leave_one_out each user's last two interactions, temporal what comes after
    two points in time, user_ratio a share of each user's interactions, random one of all, whoever
    they belong to.
    """
    test_share: Annotated[float, Field(gt=0, lt=1), READS_TEXT] = 0.2
    """Not of leave_one_out: share of the interactions (of user_ratio: of each user's) that goes
    into test.
    """
    valid_share: Annotated[float, Field(gt=0, lt=1), READS_TEXT] = 0.1
    """Not of leave_one_out: share of the others that goes into valid."""
    draw: Literal["newest", "random"] = NEWEST
    """Of user_ratio only: which of a user's interactions are held out, the "newest" or "random"
    ones.
    """
    seed: Seed = 42
    """Decides the order of interactions of a user that share a timestamp, and what is held out at
    random.
    """

    @model_validator(mode="after")
    def _check(self) -> IngestConfig:
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            check(
                self.split in _OPTIONS.get(name, SPLITS) or value == field.default,
                f"{name}: expected to be left out with split={self.split}, got {value}.",
            )
        return self
