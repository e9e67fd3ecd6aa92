"""Settings of the ingest: what is kept of the raw interactions, and the split.

Read by components.example_gen.executor; composed in pipeline.config. The splits
are described in docs/splits.md.
"""

from __future__ import annotations

import dataclasses

from schema.settings import check, check_choice

LEAVE_ONE_OUT = "leave_one_out"
TEMPORAL = "temporal"
USER_RATIO = "user_ratio"
RANDOM = "random"
SPLITS = (LEAVE_ONE_OUT, TEMPORAL, USER_RATIO, RANDOM)

NEWEST = "newest"
DRAWS = (NEWEST, RANDOM)

# Splits that an option means something to; with another it has to be left out.
_OPTIONS = {
    "test_share": (TEMPORAL, USER_RATIO, RANDOM),
    "valid_share": (TEMPORAL, USER_RATIO, RANDOM),
    "draw": (USER_RATIO,),
}


@dataclasses.dataclass(frozen=True)
class IngestConfig:
    """What the interactions generator keeps and holds out.

    Every split fills `valid`, without which no best epoch could be chosen.

    Attributes:
      min_rating: interactions rated lower are dropped; None keeps every rating
        (implicit feedback).
      min_user_interactions: users with fewer distinct items are dropped.
      min_item_interactions: items with fewer distinct users are dropped; with
        the former, iterated until both hold (k-core).
      split: one of SPLITS. LEAVE_ONE_OUT holds out each user's last two
        interactions, TEMPORAL what comes after two points in time, USER_RATIO a
        share of each user's interactions, RANDOM one of all, whoever they belong to.
      test_share: not of LEAVE_ONE_OUT: share of the interactions (of USER_RATIO:
        of each user's) that goes into test.
      valid_share: not of LEAVE_ONE_OUT: share of the others that goes into valid.
      draw: of USER_RATIO only: which of a user's interactions are held out, the
        "newest" or "random" ones.
      seed: decides the order of interactions of a user that share a timestamp,
        and what is held out at random.
    """

    min_rating: float | None = None
    min_user_interactions: int = 1
    min_item_interactions: int = 1
    split: str = LEAVE_ONE_OUT
    test_share: float = 0.2
    valid_share: float = 0.1
    draw: str = NEWEST
    seed: int = 42

    def __post_init__(self) -> None:
        for name in ("min_user_interactions", "min_item_interactions"):
            value = getattr(self, name)
            check(value >= 1, f"{name}: expected at least 1, got {value}.")
        check_choice("split", self.split, SPLITS)
        check_choice("draw", self.draw, DRAWS)
        for name in ("test_share", "valid_share"):
            share = getattr(self, name)
            check(0 < share < 1, f"{name}: expected between 0 and 1, got {share}.")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            check(
                self.split in _OPTIONS.get(field.name, SPLITS) or value == field.default,
                f"{field.name}: expected to be left out with split={self.split}, got {value}.",
            )
        check(self.seed >= 0, f"seed: expected 0 or more, got {self.seed}.")
