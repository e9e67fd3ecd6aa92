"""Which Fitter trains a model where; called by trainer.stages."""

from __future__ import annotations

from collections.abc import Callable

from trainer.asynchronous import AsynchronousFitter
from trainer.config import TrainerConfig
from trainer.fit import Fitter
from trainer.input import TrainingData
from trainer.models.base import Recommender
from trainer.models.solved import SolvedRecommender
from trainer.solving import Solver
from trainer.workplace import Workplace


def make_fitter(
    model: Recommender,
    build: Callable[[], Recommender],
    config: TrainerConfig,
    data: TrainingData,
    workplace: Workplace,
) -> Fitter:
    """Makes the Fitter for a model.

    Args:
      model: with the weights to start from.
      build: makes another model of the same kind; its variables lie where the
        strategy wants them.
      config: as of Fitter.
      data: as of Fitter.
      workplace: where to train.

    Returns:
      The Fitter.
    """
    if isinstance(model, SolvedRecommender):
        return Solver(model, config, data)
    twin = None
    if not workplace.plain:
        with workplace.strategy.scope():
            twin = build()
    fitter = AsynchronousFitter if workplace.asynchronous else Fitter
    return fitter(model, config, data, workplace, twin)
