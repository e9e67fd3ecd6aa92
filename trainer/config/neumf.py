"""Settings of GMF, MLP and NeuMF; part of trainer.config."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from schema.settings import Count, Items, NonNegative, Positive, Settings, Share, Width, check
from trainer.config.optimizer import OptimizerConfig


class PretrainConfig(Settings):
    """Configure the training of GMF and MLP before NeuMF (He et al. 2017, section 3.4.1)."""

    gmf_epochs: Count = 0
    """Epochs of GMF at the most, its best one is taken; 0, with mlp_epochs 0, starts NeuMF from
    random weights.
    """
    mlp_epochs: Count = 0
    """The same of MLP."""
    alpha: Share = 0.5
    """Weight of GMF's prediction in the fused one."""
    learning_rate: Positive = 0.001
    """Of both."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """Of both; the trainer's own settings are those of fine-tuning."""

    @model_validator(mode="after")
    def _check(self) -> PretrainConfig:
        epochs = (self.gmf_epochs, self.mlp_epochs)
        check(
            min(epochs) >= 1 or epochs == (0, 0),
            f"gmf_epochs: expected both of gmf_epochs and mlp_epochs at least 1, or both 0, "
            f"got {epochs[0]} and {epochs[1]}.",
        )
        return self


class NeuMFConfig(Settings):
    """Configure trainer.models.neumf (He et al. 2017): models gmf, mlp and neumf."""

    embedding_dim: Width = 8
    """Width of the GMF part of an embedding row."""
    hidden_units: Annotated[Items[Width], Field(min_length=2)] = (64, 32, 16, 8)
    """Layer widths of the MLP tower; the first is the width of the concatenated user and item
    parts, so it must be even.
    """
    l2_mf: NonNegative = 0.0
    """L2 on the GMF part of the embedding tables."""
    l2_mlp: Items[NonNegative] = (0.0, 0.0, 0.0, 0.0)
    """L2 on the MLP, one a width in hidden_units: the first on its part of the embedding tables,
    the others on the layers' kernels.
    """
    pretrain: PretrainConfig = PretrainConfig()
    """Of neumf."""

    @model_validator(mode="after")
    def _check(self) -> NeuMFConfig:
        units = self.hidden_units
        check(
            units[0] % 2 == 0,
            f"hidden_units: the first width is split between user and item and must be even, "
            f"got {units[0]}.",
        )
        check(
            len(self.l2_mlp) == len(units),
            f"l2_mlp: expected one value a layer ({len(units)}), got {len(self.l2_mlp)}.",
        )
        return self
