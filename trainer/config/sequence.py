"""Settings of what reads ordered histories; part of trainer.config.two_tower, no TensorFlow."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from schema.settings import PositiveCount, Settings, ShareBelowOne

HistoryEncoder = Literal["mean", "gru", "sasrec", "hstu"]
MEAN: Final = "mean"
# Those that read the order.
SEQUENCE_ENCODERS: tuple[str, ...] = tuple(
    name for name in get_args(HistoryEncoder) if name != MEAN
)
Windows = Literal["random", "newest"]
RANDOM: Final = "random"


class SequenceConfig(Settings):
    """Configure trainer.models.two_tower.sequence, and its training on whole histories."""

    blocks: PositiveCount = 2
    """Layers of the encoder, one upon the other."""
    heads: PositiveCount = 2
    """Of the attention, each with its share of the towers' width."""
    dropout: ShareBelowOne = 0.2
    """Rate on the encoder's input and in its blocks while training."""
    windows: Windows = "random"
    """Which part of a history longer than history_limit an epoch learns from: a window that each
    epoch draws anew, or the "newest".
    """
    length_buckets: Annotated[int, Field(ge=1, le=32)] = 4
    """Lengths that batches have: histories of like length make up a batch, and each length is
    compiled once.
    """
