"""Settings of the ingest: what is kept of the raw interactions, and the split.

Read by components.example_gen.executor; composed in pipeline.config.
"""

from __future__ import annotations

import dataclasses

from schema.settings import check, check_choice

LEAVE_ONE_OUT = "leave_one_out"
RANDOM = "random"
SPLITS = (LEAVE_ONE_OUT, RANDOM)


@dataclasses.dataclass(frozen=True)
class IngestConfig:
    """What the interactions generator keeps and holds out.

    Attributes:
      min_rating: interactions rated lower are dropped; None keeps every rating
        (implicit feedback).
      min_user_interactions: users with fewer distinct items are dropped.
      min_item_interactions: items with fewer distinct users are dropped; with
        the former, iterated until both hold (k-core).
      split: one of SPLITS. LEAVE_ONE_OUT holds out each user's last two
        interactions; RANDOM holds out a share of all interactions, whoever they
        belong to, and makes a row of each, so a user can have several.
      test_share: share of the interactions that RANDOM puts into test.
      valid_share: share of the others that it puts into valid.
      seed: decides the order of interactions of a user that share a timestamp,
        and what RANDOM holds out.
    """

    min_rating: float | None = None
    min_user_interactions: int = 1
    min_item_interactions: int = 1
    split: str = LEAVE_ONE_OUT
    test_share: float = 0.2
    valid_share: float = 0.1
    seed: int = 42

    def __post_init__(self) -> None:
        for name in ("min_user_interactions", "min_item_interactions"):
            value = getattr(self, name)
            check(value >= 1, f"{name}: expected at least 1, got {value}.")
        check_choice("split", self.split, SPLITS)
        for name in ("test_share", "valid_share"):
            share = getattr(self, name)
            check(0 < share < 1, f"{name}: expected between 0 and 1, got {share}.")
            default = type(self).__dataclass_fields__[name].default
            check(
                self.split == RANDOM or share == default,
                f"{name}: expected to be left out with split={self.split}, got {share}.",
            )
        check(self.seed >= 0, f"seed: expected 0 or more, got {self.seed}.")
