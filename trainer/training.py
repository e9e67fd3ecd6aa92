"""Trains the configured model on a data set; called by trainer.run.

The best epoch is chosen on the valid split. With `refit` a second model then
trains on train and valid together for as many epochs.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from trainer.config import ProtocolConfig, TrainerConfig
from trainer.data import Dataset
from trainer.fit import Epoch, Fitter
from trainer.histories import Histories
from trainer.input import TrainingData
from trainer.models import BUILDERS, SAMPLES_NEGATIVES, DataSizes
from trainer.models.base import Recommender
from trainer.monitor import Monitor
from trainer.progress import Progress
from trainer.strategy import make_strategy
from trainer.validation import make_validator


@dataclasses.dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
      model: with the weights to export.
      report: JSON-ready figures: epochs, losses, validation metrics, speed.
    """

    model: Recommender
    report: dict[str, Any]


def train(
    config: TrainerConfig, protocol: ProtocolConfig, dataset: Dataset, run_dir: str
) -> Trained:
    """Trains one model.

    Args:
      config: model, epochs, strategy and so on.
      protocol: of the validation.
      dataset: what to learn from.
      run_dir: gets logs and checkpoints.

    Returns:
      The model with its best weights, and the figures of the training.

    Raises:
      UserError: the loss diverged, or the batch does not fit the strategy.
    """
    tf.keras.utils.set_random_seed(config.seed)
    strategy = make_strategy(config.strategy, config.batch_size)
    fitter = _fitter(config, dataset, dataset.train, strategy)
    with Progress(config.model, config.epochs) as progress:
        validator = make_validator(config, fitter.model, dataset.valid, dataset.catalog, protocol)
        monitor = Monitor(fitter, validator, config, run_dir, progress)
        epochs = fitter.fit(config.epochs, monitor, progress)
    monitor.restore_best()
    model, refitted = fitter.model, []
    if config.refit:
        last = _fitter(config, dataset, dataset.known, strategy)
        with Progress(f"{config.model} on train and valid", monitor.best_epoch) as progress:
            refitted = last.fit(monitor.best_epoch, lambda _: False, progress)
        model = last.model
    return Trained(model, _report(config, strategy, epochs, monitor, refitted))


def _fitter(
    config: TrainerConfig,
    dataset: Dataset,
    histories: Histories,
    strategy: tf.distribute.Strategy,
) -> Fitter:
    catalog = dataset.catalog.with_counts(histories.counts(dataset.catalog.size))
    negatives = config.negatives_per_positive if config.model in SAMPLES_NEGATIVES else 0
    with strategy.scope():
        sizes = DataSizes(
            dataset.num_users, dataset.context_sizes, catalog, dataset.user_oov_buckets
        )
        model = BUILDERS[config.model](config, sizes)
    data = TrainingData(
        histories, dataset.catalog.size, negatives, config.seed, config.predicts_ratings
    )
    return Fitter(model, config, data, strategy)


def _report(
    config: TrainerConfig,
    strategy: tf.distribute.Strategy,
    epochs: list[Epoch],
    monitor: Monitor,
    refitted: list[Epoch],
) -> dict[str, Any]:
    seconds = sum(epoch.seconds for epoch in epochs)
    return {
        "model": config.model,
        "strategy": config.strategy,
        "replicas": strategy.num_replicas_in_sync,
        "epochs": len(epochs),
        "best_epoch": monitor.best_epoch,
        "validation_protocol": config.validation_protocol,
        "best_validation": monitor.best,
        "seconds": seconds,
        "examples": sum(epoch.examples for epoch in epochs),
        "examples_per_second": sum(epoch.examples for epoch in epochs) / seconds,
        "refit_epochs": len(refitted),
        "refit_seconds": sum(epoch.seconds for epoch in refitted),
        "history": [
            {**dataclasses.asdict(epoch), **{f"valid_{k}": v for k, v in metrics.items()}}
            for epoch, metrics in zip(epochs, monitor.metrics, strict=True)
        ],
    }
