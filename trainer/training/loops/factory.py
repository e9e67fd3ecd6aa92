"""Choice of the TrainingLoop that trains a model where."""

from __future__ import annotations

from collections.abc import Callable

from trainer.config.trainer import TrainerConfig
from trainer.data.batches import TrainingData
from trainer.data.sequences import SequenceData
from trainer.distribution.strategy import DistributionContext
from trainer.models.base import Recommender, SolvedModel
from trainer.training.loops.base import TrainingLoop
from trainer.training.loops.gradient import GradientLoop
from trainer.training.loops.parameter_server import ParameterServerLoop
from trainer.training.loops.solver import SolverLoop


def make_loop(
    model: Recommender,
    build: Callable[[], Recommender],
    config: TrainerConfig,
    data: TrainingData | SequenceData,
    distribution: DistributionContext,
) -> TrainingLoop:
    """Make the TrainingLoop for a model.

    Args:
      model: with the weights to start from.
      build: makes another model of the same kind; its variables lie where the
        strategy wants them.
      config: of the training.
      data: the positives, or whole histories.
      distribution: where to train.

    Returns:
      The TrainingLoop.
    """
    if isinstance(model, SolvedModel):
        return SolverLoop(model, config, data)
    twin = None
    if not distribution.is_default or config.optimizer.average_decay:
        with distribution.strategy.scope():
            twin = build()
    loop = ParameterServerLoop if distribution.asynchronous else GradientLoop
    return loop(model, config, data, distribution, twin)
