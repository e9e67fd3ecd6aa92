"""What trains a model epoch by epoch, whatever its epochs are."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from schema.errors import UserError
from trainer.models.base import Recommender
from trainer.training.progress import Progress


@dataclasses.dataclass(frozen=True)
class Epoch:
    """Hold what one epoch did.

    Attributes:
      number: from 1.
      loss: mean training loss, regularization included.
      seconds: wall time of its training steps.
      examples: positives and sampled negatives that were trained on.
      steps: of the optimizer.
    """

    number: int
    loss: float
    seconds: float
    examples: int
    steps: int


class TrainingLoop(abc.ABC):
    """Train one model epoch by epoch.

    Args:
      model: with the weights to start from; it has those of the latest epoch
        whenever `after_epoch` is called.

    Attributes:
      model: as given.
    """

    def __init__(self, model: Recommender) -> None:
        self.model = model

    @abc.abstractmethod
    def fit(
        self,
        epochs: int,
        after_epoch: Callable[[Epoch], bool],
        progress: Progress,
        start: int = 1,
    ) -> list[Epoch]:
        """Train up to `epochs` epochs.

        Args:
          epochs: number of the last one.
          after_epoch: called with each finished epoch; True stops the training.
          progress: told how far each epoch is.
          start: number of the first one.

        Returns:
          The epochs that ran.

        Raises:
          UserError: the loss is no longer a finite number.
        """

    @abc.abstractmethod
    def checkpoint(self) -> tf.train.Checkpoint | None:
        """Return what a killed training goes on from; None where it rather starts afresh."""


def check_loss(loss: float, epoch: int, hint: str) -> None:
    """Check that a loss is a finite number.

    Args:
      loss: of the epoch, or of a part of it.
      epoch: number of the epoch.
      hint: what to try otherwise.

    Raises:
      UserError: it is not.
    """
    if not np.isfinite(loss):
        raise UserError(
            f"The training loss became {loss} in epoch {epoch}; expected a finite number: "
            f"try {hint}."
        )
