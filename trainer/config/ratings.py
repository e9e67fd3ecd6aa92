"""Settings of the models that predict ratings; part of trainer.config."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schema.settings import Items, NonNegative, Positive, Settings, ShareBelowOne, Width


class RatingConfig(Settings):
    """Configure trainer.models.rating (the TFRS ranking tutorial)."""

    embedding_dim: Width = 32
    """Width of the user and of the item embeddings."""
    hidden_units: Annotated[Items[Width], Field(min_length=1)] = (256, 64)
    """Relu layers over both embeddings, at least one."""
    l2: NonNegative = 0.0
    """L2 on the embeddings of a batch's users and items, per example."""
    dropout: ShareBelowOne = 0.0
    """Rate on the embeddings while training."""


class MultiTaskConfig(Settings):
    """Configure trainer.models.two_tower.multi_task, whose towers are TwoTowerConfig's."""

    retrieval_weight: Positive = 1.0
    """Of the towers' retrieval loss."""
    rating_weight: Positive = 1.0
    """Of the mean squared error of the predicted ratings."""
    hidden_units: Items[Width] = (256, 128)
    """Relu layers over both towers' outputs that predict a rating."""
