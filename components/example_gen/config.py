"""Settings of the ingest: what is kept of the raw interactions, and the split.

Read by components.example_gen.executor; composed in pipeline.config.
"""

from __future__ import annotations

import dataclasses

from schema.settings import check


@dataclasses.dataclass(frozen=True)
class IngestConfig:
    """What the interactions generator keeps and holds out.

    Attributes:
      min_rating: interactions rated lower are dropped; None keeps every rating
        (implicit feedback).
      min_user_interactions: users with fewer distinct items are dropped.
      min_item_interactions: items with fewer distinct users are dropped; with
        the former, iterated until both hold (k-core).
      seed: decides the order of interactions of a user that share a timestamp.
    """

    min_rating: float | None = None
    min_user_interactions: int = 1
    min_item_interactions: int = 1
    seed: int = 42

    def __post_init__(self) -> None:
        for name in ("min_user_interactions", "min_item_interactions"):
            value = getattr(self, name)
            check(value >= 1, f"{name}: expected at least 1, got {value}.")
        check(self.seed >= 0, f"seed: expected 0 or more, got {self.seed}.")
