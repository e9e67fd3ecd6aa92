"""Trains the models that are solved for."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from schema.errors import UserError
from trainer.config.trainer import TrainerConfig
from trainer.data.batches import TrainingData
from trainer.distribution.strategy import DistributionContext
from trainer.models.solved import SolvedModel
from trainer.training.loop import Epoch, TrainingLoop
from trainer.training.progress import Progress


class Solver(TrainingLoop):
    """A TrainingLoop whose epochs are those of SolvedModel.solve.

    Args:
      model: to be solved for.
      config: as of TrainingLoop.
      data: the positives.
    """

    model: SolvedModel

    def __init__(self, model: SolvedModel, config: TrainerConfig, data: TrainingData) -> None:
        super().__init__(model, config, data, DistributionContext(tf.distribute.get_strategy()))
        self._histories = data.histories

    def fit(
        self,
        epochs: int,
        after_epoch: Callable[[Epoch], bool],
        progress: Progress,
        start: int = 1,
    ) -> list[Epoch]:
        """Trains up to `epochs` epochs, or fewer if the model is done before.

        Args:
          epochs: at the most.
          after_epoch: called with each finished epoch; True stops the training.
          progress: told of every epoch.
          start: 1; a solution is not resumed, it starts afresh.

        Returns:
          The epochs that ran.

        Raises:
          UserError: the loss is not a finite number.
        """
        history: list[Epoch] = []
        losses = self.model.solve(self._histories)
        started = time.perf_counter()
        for number, loss in zip(range(1, epochs + 1), losses, strict=False):
            if not np.isfinite(loss):
                raise UserError(
                    f"The training loss became {loss} in epoch {number}; expected a finite number: "
                    f"try a larger trainer.{self._config.model}.l2."
                )
            progress.advance(number, 1.0, loss)
            seconds = time.perf_counter() - started
            history.append(Epoch(number, loss, seconds, self._data.examples, steps=1))
            if after_epoch(history[-1]):
                break
            started = time.perf_counter()
        return history
