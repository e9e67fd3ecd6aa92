"""Training of the models that are solved for, without gradients."""

from __future__ import annotations

import time
from collections.abc import Callable

from trainer.config.trainer import TrainerConfig
from trainer.data.batches import TrainingData
from trainer.data.sequences import SequenceData
from trainer.models.base import SolvedModel
from trainer.training.loops.base import Epoch, TrainingLoop, check_loss
from trainer.training.progress import Progress


class SolverLoop(TrainingLoop):
    """Run the epochs of SolvedModel.solve.

    Args:
      model: to be solved for.
      config: names the model.
      data: the positives.
    """

    model: SolvedModel

    def __init__(
        self, model: SolvedModel, config: TrainerConfig, data: TrainingData | SequenceData
    ) -> None:
        super().__init__(model)
        self._config = config
        self._data = data

    def fit(
        self,
        epochs: int,
        after_epoch: Callable[[Epoch], bool],
        progress: Progress,
        start: int = 1,
    ) -> list[Epoch]:
        """See TrainingLoop; fewer epochs run if the model is done before, the first being 1."""
        history: list[Epoch] = []
        losses = self.model.solve(self._data.histories)
        started = time.perf_counter()
        for number, loss in zip(range(1, epochs + 1), losses, strict=False):
            check_loss(loss, number, f"a larger trainer.{self._config.model}.l2")
            progress.advance(number, 1.0, loss)
            seconds = time.perf_counter() - started
            history.append(Epoch(number, loss, seconds, self._data.examples, steps=1))
            if after_epoch(history[-1]):
                break
            started = time.perf_counter()
        return history

    def checkpoint(self) -> None:
        """See TrainingLoop: a solution takes less time than its states would be worth."""
        return
