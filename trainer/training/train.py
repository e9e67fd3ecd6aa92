"""Trains the configured model on a data set.

The best epoch is chosen on the valid split. With `refit` a second model then
trains on train and valid together for as many epochs. A pretrained model has
more stages before its own, each with a best epoch of its own.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from trainer.config.evaluation import EvaluationConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.dataset import Dataset
from trainer.distribution.cluster_task import ClusterTask
from trainer.distribution.strategy import DistributionContext, make_distribution, resolve_strategy
from trainer.models.base import Recommender
from trainer.models.registry import model_class
from trainer.training.stage import (
    EpochCallback,
    StageResult,
    TrainingContext,
    fit_best_epoch,
    refit,
)
from trainer.training.warm_start import COLD, WarmStart
from trainer.training.warm_start_source import WarmStartSource


@dataclasses.dataclass(frozen=True)
class Trained:
    """Hold a finished training.

    Attributes:
      model: with the weights to export.
      report: JSON-ready figures: epochs, losses, validation metrics, speed.
      chosen: of a refitted one that can be started from, the model before,
        which has not learned from valid.
    """

    model: Recommender
    report: dict[str, Any]
    chosen: Recommender | None = None


def train(
    config: TrainerConfig,
    evaluation: EvaluationConfig,
    dataset: Dataset,
    run_dir: str | None,
    states_dir: str | None = None,
    base: WarmStartSource | None = None,
    watch: EpochCallback | None = None,
    distribution: DistributionContext | None = None,
    finished_dir: str | None = None,
) -> Trained:
    """Train one model.

    Args:
      config: model, epochs, strategy and so on.
      evaluation: how the validation ranks; `config` names the protocol.
      dataset: what to learn from.
      run_dir: gets logs and checkpoints; None writes neither.
      states_dir: where a killed training's states are kept, to go on from; of
        this configuration and these data only. None keeps none.
      base: what a warm start begins with; None before there is any. Read by
        configurations with `warm_start` only.
      watch: may stop the training after an epoch, as trainer.tuning.search does.
      distribution: where to train; made for this process alone when None. Every
        process of a training calls this, and all get the same weights.
      finished_dir: the states_dir of a training of this configuration and these data that
        ended; its choice of the epoch is taken over. None trains.

    Returns:
      The model with its best weights, and the figures of the training.

    Raises:
      UserError: the loss diverged, the batch does not fit the strategy, or the
        base has another architecture.
    """
    # Dropout then draws from variables, which a state can hold.
    tf.keras.backend.experimental.enable_tf_random_generator()
    if distribution is None:
        config = resolve_strategy(config, ClusterTask())
        distribution = make_distribution(config)
    context = TrainingContext(
        evaluation, dataset, distribution, run_dir, states_dir, watch, finished_dir
    )
    warm = WarmStart(base, config, dataset) if config.warm_start and base else None
    stages = [*model_class(config.model).pretraining(config), config]
    chosen: list[StageResult] = []
    for stage in stages:
        name = "" if stage is config else stage.model
        start = _start(stages, chosen, warm.fit_best_epoch if warm else None)
        chosen.append(fit_best_epoch(stage, context, name, start))
    refitted: list[StageResult] = []
    if config.refit:
        for stage, first in zip(stages, chosen, strict=True):
            assert first.monitor is not None
            start = _start(stages, refitted, warm.refit if warm else None)
            refitted.append(refit(stage, context, first.monitor.best_epoch, start))
    report = _report(stages, distribution, chosen, refitted)
    if config.warm_start:
        report["warm_start"] = warm.report() if warm else COLD
    if not refitted:
        return Trained(chosen[-1].model, report)
    before = chosen[-1].model if config.spec.warm_start else None
    return Trained(refitted[-1].model, report, before)


def _start(
    stages: Sequence[TrainerConfig],
    done: list[StageResult],
    warm: Callable[[Recommender], None] | None,
) -> Callable[[Recommender], None] | None:
    """Choose what gives the next stage its weights; None leaves it those it was built with."""
    if warm is not None:
        return warm
    pretrained = [stage.model for stage in done]
    if not pretrained or len(pretrained) < len(stages) - 1:
        return None
    return lambda model: model.start_from(pretrained)


def _report(
    stages: Sequence[TrainerConfig],
    distribution: DistributionContext,
    chosen: list[StageResult],
    refitted: list[StageResult],
) -> dict[str, Any]:
    *before, config = stages
    last = chosen[-1]
    monitor = last.monitor
    assert monitor is not None
    return {
        "model": config.model,
        "strategy": config.strategy,
        **distribution.figures(config.batch_size),
        "precision": config.precision,
        "validation_protocol": config.validation_protocol,
        **last.figures(),
        **last.validation(),
        "warm_start": None,
        "pretraining": [
            {"model": stage.model, **result.figures(), **result.validation()}
            for stage, result in zip(before, chosen[:-1], strict=True)
        ],
        "refit_epochs": len(refitted[-1].epochs) if refitted else 0,
        "refit_seconds": sum(stage.figures()["seconds"] for stage in refitted),
        "finished": time.time(),
        "history": [
            {
                **dataclasses.asdict(epoch),
                "examples_per_second": epoch.examples / epoch.seconds,
                "steps_per_second": epoch.steps / epoch.seconds,
                **{f"valid_{name}": value for name, value in metrics.items()},
            }
            for epoch, metrics in zip(last.epochs, monitor.metrics, strict=True)
        ],
    }
