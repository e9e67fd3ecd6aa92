"""One stage of a training: a model, its epochs, and what they reached."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from trainer.config.evaluation import EvaluationConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.batches import TrainingData
from trainer.data.dataset import Dataset
from trainer.data.interactions import Interactions
from trainer.data.negative_sampling import SAMPLERS
from trainer.data.sequences import SequenceData
from trainer.distribution.strategy import DistributionContext
from trainer.models import registry
from trainer.models.base import DataSizes, Recommender
from trainer.training.checkpoint import CheckpointManager
from trainer.training.early_stopping import EarlyStopping
from trainer.training.loops.base import Epoch, TrainingLoop
from trainer.training.loops.factory import make_loop
from trainer.training.progress import Progress
from trainer.training.validation import make_validator

# Told of each epoch and its validation metrics; True stops the training there.
EpochCallback = Callable[[int, Mapping[str, float]], bool]


@dataclasses.dataclass(frozen=True)
class TrainingContext:
    """Hold what all stages of a training share.

    Attributes:
      evaluation: of the validation.
      dataset: what to learn from.
      distribution: where the replicas run.
      run_dir: gets logs and checkpoints; None writes neither.
      states_dir: keeps the states that a killed training goes on from; None
        keeps none.
      watch: follows the last stage that is validated; None for nobody.
      finished_dir: see trainer.training.train.train.
    """

    evaluation: EvaluationConfig
    dataset: Dataset
    distribution: DistributionContext
    run_dir: str | None
    states_dir: str | None
    watch: EpochCallback | None = None
    finished_dir: str | None = None


@dataclasses.dataclass(frozen=True)
class StageResult:
    """Hold a finished stage.

    Attributes:
      model: with its best epoch's weights, or its last without validation.
      epochs: what ran.
      monitor: what validation told; None without.
      resumed: epochs that an earlier, killed attempt or a tuner had trained.
    """

    model: Recommender
    epochs: list[Epoch]
    monitor: EarlyStopping | None
    resumed: int

    def figures(self) -> dict[str, Any]:
        """Return what the stage did, JSON-ready."""
        seconds = sum(epoch.seconds for epoch in self.epochs)
        steps = sum(epoch.steps for epoch in self.epochs)
        examples = sum(epoch.examples for epoch in self.epochs)
        # The first epoch of each process compiles.
        steady = [e for at, e in enumerate(self.epochs) if at not in (0, self.resumed)]
        steady_seconds = sum(epoch.seconds for epoch in steady)
        return {
            "epochs": len(self.epochs),
            "resumed_epochs": self.resumed,
            "seconds": seconds,
            "examples": examples,
            "steps": steps,
            "examples_per_second": examples / seconds if seconds else None,
            "steps_per_second": steps / seconds if seconds else None,
            "steady_examples_per_second": (
                sum(epoch.examples for epoch in steady) / steady_seconds if steady_seconds else None
            ),
        }

    def validation(self) -> dict[str, Any]:
        """Return what the stage reached, JSON-ready; of a validated stage."""
        monitor = self.monitor
        assert monitor is not None
        return {
            "best_epoch": monitor.best_epoch,
            "best_validation": monitor.best,
            "initial_validation": monitor.initial,
            "stopped_by": monitor.stopped_by,
        }


def fit_best_epoch(
    config: TrainerConfig, context: TrainingContext, name: str, start: Callable[[Any], None] | None
) -> StageResult:
    """Train on the train split; the best epoch on valid is taken.

    Args:
      config: of this stage.
      context: of the training.
      name: subfolder of logs and checkpoints; "" for the last stage.
      start: gives the built model weights to start from; None keeps its own.

    Returns:
      The stage.
    """
    dataset = context.dataset
    catalog = dataset.catalog.with_counts(dataset.train.counts(dataset.catalog.size))
    loop = _loop(config, context, dataset.train)
    if start is not None:
        start(loop.model)
    with Progress(config.model, config.epochs) as progress:
        validator = make_validator(config, loop.model, dataset.valid, catalog, context.evaluation)
        monitor = EarlyStopping(
            loop.model,
            lambda: context.distribution.all_mean(validator()),
            config,
            context.run_dir,
            name,
            progress,
        )
        states = _states(context, f"choose-{config.model}", config, loop, monitor)
        before = states.restore()
        context.distribution.check_same_start(len(before))
        if start is not None and not before:
            monitor.measure_start()

        def after(epoch: Epoch) -> bool:
            stop = monitor(epoch)
            states.save(monitor.epochs, stop)
            if stop or name or context.watch is None:
                return stop
            return context.watch(epoch.number, monitor.metrics[-1])

        if monitor.stopped_by is None:
            loop.fit(config.epochs, after, progress, len(before) + 1)
    monitor.finish(catalog)
    return StageResult(loop.model, monitor.epochs, monitor, len(before))


def refit(
    config: TrainerConfig,
    context: TrainingContext,
    epochs: int,
    start: Callable[[Any], None] | None,
) -> StageResult:
    """Train on train and valid together, for a number of epochs that is known.

    Args:
      config: of this stage; its epochs are those of the learning rate's curve.
      context: of the training.
      epochs: how many.
      start: see `fit_best_epoch`.

    Returns:
      The stage.
    """
    loop = _loop(config, context, context.dataset.known)
    if start is not None:
        start(loop.model)
    states = _states(context, f"refit-{config.model}", config, loop, None)
    done = states.restore()
    context.distribution.check_same_start(len(done))
    before = len(done)

    def after(epoch: Epoch) -> bool:
        done.append(epoch)
        states.save(done, epoch.number == epochs)
        return False

    with Progress(f"{config.model} on train and valid", epochs) as progress:
        progress.line(f"{config.model} anew on train and valid, {epochs} epochs")
        loop.fit(epochs, after, progress, before + 1)
    return StageResult(loop.model, done, None, before)


def _loop(config: TrainerConfig, context: TrainingContext, histories: Interactions) -> TrainingLoop:
    # Each stage draws from its own beginning, so that one which goes on in a
    # new process starts as it did in the first.
    tf.keras.utils.set_random_seed(config.seed)
    dataset = context.dataset
    catalog = dataset.catalog.with_counts(histories.counts(dataset.catalog.size))
    sizes = DataSizes(dataset.num_users, dataset.context_sizes, catalog, dataset.user_oov_buckets)
    build = functools.partial(registry.build, config, sizes)
    model = build()
    data = _data(config, model, histories, dataset.catalog.size)
    return make_loop(model, build, config, data, context.distribution)


def _data(
    config: TrainerConfig, model: Recommender, histories: Interactions, num_items: int
) -> TrainingData | SequenceData:
    """Make the batches that the model learns from."""
    if model.sequences is not None:
        return SequenceData(histories, model.history_limit, model.sequences, config.seed)
    negatives = config.negatives_per_positive if config.spec.needs_negatives(config) else 0
    sampler = None
    if negatives:
        make_sampler = SAMPLERS[config.sampler]
        sampler = make_sampler(histories, num_items, config.popularity_exponent)
    return TrainingData(
        histories,
        num_items,
        negatives,
        config.seed,
        sampler,
        model.history_limit,
        ratings=model.predicts_ratings,
        by_user=model.batches_by_user,
    )


def _states(
    context: TrainingContext,
    name: str,
    config: TrainerConfig,
    loop: TrainingLoop,
    monitor: EarlyStopping | None,
) -> CheckpointManager:
    folder, finished = (
        None if of_all is None else os.path.join(of_all, name)
        for of_all in (context.states_dir, context.finished_dir)
    )
    writes = context.distribution.task.writes
    return CheckpointManager(folder, config.checkpoint_every, loop, monitor, writes, finished)
