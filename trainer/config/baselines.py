"""Settings of the baselines that every result is compared with; part of trainer.config."""

from __future__ import annotations

from schema.settings import NonNegative, Positive, PositiveCount, Settings, Share, Width


class MFConfig(Settings):
    """Configure trainer.models.mf (Rendle et al. 2020)."""

    embedding_dim: Width = 64
    """Width of the embeddings."""
    stddev: Positive = 0.1
    """Of their initial values."""
    l2: NonNegative = 0.002
    """Half of it times the squared length of what an example touches is added to that example's
    loss.
    """


class IALSConfig(Settings):
    """Configure trainer.models.ials (Hu et al. 2008; Rendle et al. 2022)."""

    embedding_dim: Width = 64
    """Width of the embeddings."""
    stddev: Positive = 0.1
    """Length that a random embedding starts with, about: each of its values has stddev /
    sqrt(embedding_dim).
    """
    unobserved_weight: Positive = 0.3
    """Weight of a pair without an interaction, one with an interaction weighing 1 more."""
    l2: Positive = 0.007
    """Regularization."""
    frequency_exponent: Share = 1.0
    """How regularization grows with the weight of an embedding's pairs; 0 is the same for all, 1
    the weighted form.
    """


class EASEConfig(Settings):
    """Configure trainer.models.item_based.ease (Steck 2019)."""

    l2: Positive = 500.0
    """Regularization of the item-item weights."""


class ItemKNNConfig(Settings):
    """Configure trainer.models.item_based.itemknn (Sarwar et al. 2001)."""

    neighbors: PositiveCount = 100
    """Most similar items that an item's score is summed over."""
    shrinkage: NonNegative = 10.0
    """Added to the cosine's denominator, so that similarity by a few common users counts
    little.
    """
