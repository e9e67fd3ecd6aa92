"""Trains the configured model on a data set.

The best epoch is chosen on the valid split. With `refit` a second model then
trains on train and valid together for as many epochs. A pretrained NeuMF has
two more stages before its own, each with a best epoch of its own.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from trainer.config.evaluation import EvaluationConfig
from trainer.config.neumf import NeuMFConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.dataset import Dataset
from trainer.distribution.cluster_task import ClusterTask
from trainer.distribution.strategy import DistributionContext, make_distribution, resolve_strategy
from trainer.models.base import Recommender
from trainer.models.neumf import NeuMF
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
    """A finished training.

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
) -> Trained:
    """Trains one model.

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
    context = TrainingContext(evaluation, dataset, distribution, run_dir, states_dir, watch)
    warm = WarmStart(base, config, dataset) if config.warm_start and base else None
    chosen: list[StageResult] = []
    for stage in _stage_configs(config):
        name = "" if stage is config else stage.model
        chosen.append(
            fit_best_epoch(
                stage, context, name, _start(config, chosen, warm.fit_best_epoch if warm else None)
            )
        )
    refitted: list[StageResult] = []
    if config.refit:
        for stage, first in zip(_stage_configs(config), chosen, strict=True):
            assert first.monitor is not None
            epochs = first.monitor.best_epoch
            refitted.append(
                refit(
                    stage, context, epochs, _start(config, refitted, warm.refit if warm else None)
                )
            )
    report = _report(config, distribution, chosen, refitted)
    if config.warm_start:
        report["warm_start"] = warm.report() if warm else COLD
    if not refitted:
        return Trained(chosen[-1].model, report)
    before = chosen[-1].model if config.spec.warm_start else None
    return Trained(refitted[-1].model, report, before)


def _stage_configs(config: TrainerConfig) -> list[TrainerConfig]:
    settings = config.section(NeuMFConfig)
    pretrain = settings.pretrain
    if config.model != "neumf" or not pretrain.gmf_epochs:
        return [config]
    neumf = settings.replace(pretrain=pretrain.replace(gmf_epochs=0, mlp_epochs=0))
    parts = [
        config.replace(
            model=part,
            epochs=epochs,
            learning_rate=pretrain.learning_rate,
            optimizer=pretrain.optimizer,
            hr_threshold=None,
            neumf=neumf,
        )
        for part, epochs in (("gmf", pretrain.gmf_epochs), ("mlp", pretrain.mlp_epochs))
    ]
    return [*parts, config]


def _start(
    config: TrainerConfig, done: list[StageResult], warm: Callable[[Recommender], None] | None
) -> Callable[[Any], None] | None:
    """What gives the next stage its weights; None leaves it those it was built with."""
    if warm is not None:
        return warm
    if len(done) < 2:
        return None
    gmf, mlp = done[0].model, done[1].model
    alpha = config.section(NeuMFConfig).pretrain.alpha
    return functools.partial(NeuMF.fuse, gmf=gmf, mlp=mlp, alpha=alpha)


def _report(
    config: TrainerConfig,
    distribution: DistributionContext,
    chosen: list[StageResult],
    refitted: list[StageResult],
) -> dict[str, Any]:
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
            {"model": model, **stage.figures(), **stage.validation()}
            for model, stage in zip(("gmf", "mlp"), chosen[:-1], strict=False)
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
