"""Settings of GMF, MLP and NeuMF; part of trainer.config."""

from __future__ import annotations

import dataclasses

from schema.settings import check
from trainer.config.optimizer import OptimizerConfig


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """Training of GMF and MLP before NeuMF (He et al. 2017, section 3.4.1).

    Attributes:
      gmf_epochs: epochs of GMF at the most, its best one is taken; 0, with
        mlp_epochs 0, starts NeuMF from random weights.
      mlp_epochs: the same of MLP.
      alpha: weight of GMF's prediction in the fused one.
      learning_rate: of both.
      optimizer: of both; the trainer's own settings are those of fine-tuning.
    """

    gmf_epochs: int = 0
    mlp_epochs: int = 0
    alpha: float = 0.5
    learning_rate: float = 0.001
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        epochs = (self.gmf_epochs, self.mlp_epochs)
        check(
            min(epochs) >= 1 or epochs == (0, 0),
            f"gmf_epochs: expected both of gmf_epochs and mlp_epochs at least 1, or both 0, "
            f"got {epochs[0]} and {epochs[1]}.",
        )
        check(0 <= self.alpha <= 1, f"alpha: expected in [0, 1], got {self.alpha}.")
        check(self.learning_rate > 0, f"learning_rate: expected > 0, got {self.learning_rate}.")


@dataclasses.dataclass(frozen=True)
class NeuMFConfig:
    """Settings of trainer.models.neumf (He et al. 2017): models gmf, mlp and neumf.

    Attributes:
      embedding_dim: width of the GMF part of an embedding row.
      hidden_units: layer widths of the MLP tower; the first is the width of
        the concatenated user and item parts, so it must be even.
      l2_mf: L2 on the GMF part of the embedding tables.
      l2_mlp: L2 on the MLP, one a width in hidden_units: the first on its part
        of the embedding tables, the others on the layers' kernels.
      pretrain: of neumf.
    """

    embedding_dim: int = 8
    hidden_units: tuple[int, ...] = (64, 32, 16, 8)
    l2_mf: float = 0.0
    l2_mlp: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    pretrain: PretrainConfig = PretrainConfig()

    def __post_init__(self) -> None:
        check(self.embedding_dim >= 1, f"embedding_dim: expected >= 1, got {self.embedding_dim}.")
        units = list(self.hidden_units)
        check(
            len(units) >= 2 and min(units) >= 1,
            f"hidden_units: expected two or more positive widths, got {units}.",
        )
        check(
            units[0] % 2 == 0,
            f"hidden_units: the first width is split between user and item and must be even, "
            f"got {units[0]}.",
        )
        check(self.l2_mf >= 0, f"l2_mf: expected 0 or more, got {self.l2_mf}.")
        check(
            len(self.l2_mlp) == len(units),
            f"l2_mlp: expected one value a layer ({len(units)}), got {len(self.l2_mlp)}.",
        )
        check(min(self.l2_mlp) >= 0, f"l2_mlp: expected 0 or more, got {list(self.l2_mlp)}.")
