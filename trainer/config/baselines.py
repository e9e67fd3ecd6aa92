"""Settings of the baselines that every result is compared with; part of trainer.config."""

from __future__ import annotations

import dataclasses

from schema.settings import check


@dataclasses.dataclass(frozen=True)
class MFConfig:
    """Settings of trainer.models.mf (Rendle et al. 2020).

    Attributes:
      embedding_dim: width of the embeddings.
      stddev: of their initial values.
      l2: half of it times the squared length of what an example touches is
        added to that example's loss.
    """

    embedding_dim: int = 64
    stddev: float = 0.1
    l2: float = 0.002

    def __post_init__(self) -> None:
        check(self.embedding_dim >= 1, f"embedding_dim: expected >= 1, got {self.embedding_dim}.")
        check(self.stddev > 0, f"stddev: expected > 0, got {self.stddev}.")
        check(self.l2 >= 0, f"l2: expected 0 or more, got {self.l2}.")


@dataclasses.dataclass(frozen=True)
class IALSConfig:
    """Settings of trainer.models.ials (Hu et al. 2008; Rendle et al. 2022).

    Attributes:
      embedding_dim: width of the embeddings.
      stddev: length that a random embedding starts with, about: each of its
        values has stddev / sqrt(embedding_dim).
      unobserved_weight: weight of a pair without an interaction, one with an
        interaction weighing 1 more.
      l2: regularization.
      frequency_exponent: how regularization grows with the weight of an
        embedding's pairs; 0 is the same for all, 1 the weighted form.
    """

    embedding_dim: int = 64
    stddev: float = 0.1
    unobserved_weight: float = 0.3
    l2: float = 0.007
    frequency_exponent: float = 1.0

    def __post_init__(self) -> None:
        check(self.embedding_dim >= 1, f"embedding_dim: expected >= 1, got {self.embedding_dim}.")
        for name in ("stddev", "unobserved_weight", "l2"):
            value = getattr(self, name)
            check(value > 0, f"{name}: expected > 0, got {value}.")
        check(
            0 <= self.frequency_exponent <= 1,
            f"frequency_exponent: expected in [0, 1], got {self.frequency_exponent}.",
        )


@dataclasses.dataclass(frozen=True)
class EASEConfig:
    """Settings of trainer.models.item_based.ease (Steck 2019).

    Attributes:
      l2: regularization of the item-item weights.
    """

    l2: float = 500.0

    def __post_init__(self) -> None:
        check(self.l2 > 0, f"l2: expected > 0, got {self.l2}.")


@dataclasses.dataclass(frozen=True)
class ItemKNNConfig:
    """Settings of trainer.models.item_based.itemknn (Sarwar et al. 2001).

    Attributes:
      neighbors: most similar items that an item's score is summed over.
      shrinkage: added to the cosine's denominator, so that similarity by a few
        common users counts little.
    """

    neighbors: int = 100
    shrinkage: float = 10.0

    def __post_init__(self) -> None:
        check(self.neighbors >= 1, f"neighbors: expected at least 1, got {self.neighbors}.")
        check(self.shrinkage >= 0, f"shrinkage: expected 0 or more, got {self.shrinkage}.")
