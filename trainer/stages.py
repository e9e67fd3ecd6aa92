"""One stage of a training: a model, its epochs, and what they reached.

Called by trainer.training, which puts stages together.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.data import Dataset
from trainer.evaluation_config import EvaluationConfig
from trainer.fit import Epoch, Fitter
from trainer.fitters import make_fitter
from trainer.histories import Histories
from trainer.input import TrainingData
from trainer.models import BUILDERS, DataSizes, samples_negatives
from trainer.models.base import Recommender
from trainer.monitor import Monitor
from trainer.negatives import make_draw
from trainer.progress import Progress
from trainer.resume import States
from trainer.solving import Solver
from trainer.validation import make_validator
from trainer.workplace import Workplace

# Told of each epoch and its validation metrics; True stops the training there.
Watch = Callable[[int, Mapping[str, float]], bool]


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all stages of a training share.

    Attributes:
      evaluation: of the validation.
      dataset: what to learn from.
      workplace: where the replicas run.
      run_dir: gets logs and checkpoints; None writes neither.
      states_dir: keeps the states that a killed training goes on from; None
        keeps none.
      watch: follows the last stage that is validated; None for nobody.
    """

    evaluation: EvaluationConfig
    dataset: Dataset
    workplace: Workplace
    run_dir: str | None
    states_dir: str | None
    watch: Watch | None = None


@dataclasses.dataclass(frozen=True)
class Stage:
    """A finished stage.

    Attributes:
      model: with its best epoch's weights, or its last without validation.
      epochs: what ran.
      monitor: what validation told; None without.
      resumed: epochs that an earlier, killed attempt had trained.
    """

    model: Recommender
    epochs: list[Epoch]
    monitor: Monitor | None
    resumed: int

    def figures(self) -> dict[str, Any]:
        """What the stage did, JSON-ready."""
        seconds = sum(epoch.seconds for epoch in self.epochs)
        steps = sum(epoch.steps for epoch in self.epochs)
        examples = sum(epoch.examples for epoch in self.epochs)
        return {
            "epochs": len(self.epochs),
            "resumed_epochs": self.resumed,
            "seconds": seconds,
            "examples": examples,
            "steps": steps,
            "examples_per_second": examples / seconds if seconds else None,
            "steps_per_second": steps / seconds if seconds else None,
        }

    def validation(self) -> dict[str, Any]:
        """What the stage reached, JSON-ready; of a validated stage."""
        monitor = self.monitor
        assert monitor is not None
        return {
            "best_epoch": monitor.best_epoch,
            "best_validation": monitor.best,
            "initial_validation": monitor.initial,
            "stopped_by": monitor.stopped_by,
        }


def choose(
    config: TrainerConfig, setting: Setting, name: str, start: Callable[[Any], None] | None
) -> Stage:
    """Trains on the train split; the best epoch on valid is taken.

    Args:
      config: of this stage.
      setting: of the training.
      name: subfolder of logs and checkpoints; "" for the last stage.
      start: gives the built model weights to start from; None keeps its own.

    Returns:
      The stage.
    """
    dataset = setting.dataset
    fitter = _fitter(config, setting, dataset.train)
    if start is not None:
        start(fitter.model)
    with Progress(config.model, config.epochs) as progress:
        validator = make_validator(
            config, fitter.model, dataset.valid, dataset.catalog, setting.evaluation
        )
        monitor = Monitor(
            fitter.model,
            lambda: setting.workplace.agreed(validator()),
            config,
            setting.run_dir,
            name,
            progress,
        )
        states = _states(setting, f"choose-{config.model}", config, fitter, monitor)
        before = states.restore()
        setting.workplace.check_same_start(len(before))
        if start is not None and not before:
            monitor.measure_start()

        def after(epoch: Epoch) -> bool:
            stop = monitor(epoch)
            states.save(monitor.epochs, stop)
            if stop or name or setting.watch is None:
                return stop
            return setting.watch(epoch.number, monitor.metrics[-1])

        if monitor.stopped_by is None:
            fitter.fit(config.epochs, after, progress, len(before) + 1)
    counts = dataset.train.counts(dataset.catalog.size)
    monitor.finish(dataset.catalog.with_counts(counts))
    return Stage(fitter.model, monitor.epochs, monitor, len(before))


def refit(
    config: TrainerConfig, setting: Setting, epochs: int, start: Callable[[Any], None] | None
) -> Stage:
    """Trains on train and valid together, for a number of epochs that is known.

    Args:
      config: of this stage; its epochs are those of the learning rate's curve.
      setting: of the training.
      epochs: how many.
      start: as of `choose`.

    Returns:
      The stage.
    """
    fitter = _fitter(config, setting, setting.dataset.known)
    if start is not None:
        start(fitter.model)
    states = _states(setting, f"refit-{config.model}", config, fitter, None)
    done = states.restore()
    setting.workplace.check_same_start(len(done))
    before = len(done)

    def after(epoch: Epoch) -> bool:
        done.append(epoch)
        states.save(done, epoch.number == epochs)
        return False

    with Progress(f"{config.model} on train and valid", epochs) as progress:
        fitter.fit(epochs, after, progress, before + 1)
    return Stage(fitter.model, done, None, before)


def _fitter(config: TrainerConfig, setting: Setting, histories: Histories) -> Fitter:
    # Each stage draws from its own beginning, so that one which goes on in a
    # new process starts as it did in the first.
    tf.keras.utils.set_random_seed(config.seed)
    dataset = setting.dataset
    catalog = dataset.catalog.with_counts(histories.counts(dataset.catalog.size))
    negatives = config.negatives_per_positive if samples_negatives(config) else 0
    sizes = DataSizes(dataset.num_users, dataset.context_sizes, catalog, dataset.user_oov_buckets)
    build = functools.partial(BUILDERS[config.model], config, sizes)
    model = build()
    draw = None
    if negatives:
        exponent = config.popularity_exponent
        draw = make_draw(config.sampler, exponent, histories, dataset.catalog.size)
    data = TrainingData(
        histories,
        dataset.catalog.size,
        negatives,
        config.seed,
        draw,
        model.history_limit,
        ratings=model.rates,
    )
    return make_fitter(model, build, config, data, setting.workplace)


def _states(
    setting: Setting, name: str, config: TrainerConfig, fitter: Fitter, monitor: Monitor | None
) -> States:
    # A solution takes less time than its states would be worth.
    folder = None
    if setting.states_dir is not None and not isinstance(fitter, Solver):
        folder = os.path.join(setting.states_dir, name)
    writes = setting.workplace.task.writes
    return States(folder, config.checkpoint_every, fitter, monitor, writes)
