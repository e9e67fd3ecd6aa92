"""Which TrainingLoop trains a model where."""

from __future__ import annotations

from collections.abc import Callable

from trainer.config.trainer import TrainerConfig
from trainer.data.batches import TrainingData
from trainer.distribution.strategy import DistributionContext
from trainer.models.base import Recommender
from trainer.models.solved import SolvedModel
from trainer.training.loop import TrainingLoop
from trainer.training.parameter_server_loop import ParameterServerLoop
from trainer.training.solver import Solver


def make_loop(
    model: Recommender,
    build: Callable[[], Recommender],
    config: TrainerConfig,
    data: TrainingData,
    distribution: DistributionContext,
) -> TrainingLoop:
    """Makes the TrainingLoop for a model.

    Args:
      model: with the weights to start from.
      build: makes another model of the same kind; its variables lie where the
        strategy wants them.
      config: as of TrainingLoop.
      data: as of TrainingLoop.
      distribution: where to train.

    Returns:
      The TrainingLoop.
    """
    if isinstance(model, SolvedModel):
        return Solver(model, config, data)
    twin = None
    if not distribution.is_default:
        with distribution.strategy.scope():
            twin = build()
    loop = ParameterServerLoop if distribution.asynchronous else TrainingLoop
    return loop(model, config, data, distribution, twin)
