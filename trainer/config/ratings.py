"""Settings of the models that predict ratings; part of trainer.config."""

from __future__ import annotations

import dataclasses

from schema.settings import check


@dataclasses.dataclass(frozen=True)
class RatingConfig:
    """Settings of trainer.models.rating (the TFRS ranking tutorial).

    Attributes:
      embedding_dim: width of the user and of the item embeddings.
      hidden_units: relu layers over both embeddings, at least one.
      l2: L2 on the embeddings of a batch's users and items, per example.
      dropout: rate on the embeddings while training.
    """

    embedding_dim: int = 32
    hidden_units: tuple[int, ...] = (256, 64)
    l2: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check(self.embedding_dim >= 1, f"embedding_dim: expected >= 1, got {self.embedding_dim}.")
        check(
            len(self.hidden_units) >= 1 and min(self.hidden_units) >= 1,
            f"hidden_units: expected one or more positive widths, got {list(self.hidden_units)}.",
        )
        check(self.l2 >= 0, f"l2: expected 0 or more, got {self.l2}.")
        check(0 <= self.dropout < 1, f"dropout: expected in [0, 1), got {self.dropout}.")


@dataclasses.dataclass(frozen=True)
class MultiTaskConfig:
    """Settings of trainer.models.two_tower.multi_task, whose towers are TwoTowerConfig's.

    Attributes:
      retrieval_weight: of the towers' retrieval loss.
      rating_weight: of the mean squared error of the predicted ratings.
      hidden_units: relu layers over both towers' outputs that predict a rating.
    """

    retrieval_weight: float = 1.0
    rating_weight: float = 1.0
    hidden_units: tuple[int, ...] = (256, 128)

    def __post_init__(self) -> None:
        for name in ("retrieval_weight", "rating_weight"):
            value = getattr(self, name)
            check(value > 0, f"{name}: expected > 0, got {value}.")
        check(
            all(width >= 1 for width in self.hidden_units),
            f"hidden_units: expected positive widths, got {list(self.hidden_units)}.",
        )
