"""run_fn, which the Trainer component calls: read, train, export.

TFX reloads this module before calling it, so everything with identity
(classes, Keras registrations) lives elsewhere. custom_config holds, by
trainer.config.keys, settings as dicts, the catalog's file patterns, and
optionally a folder for the states of unfinished trainings, the folder with the
training of the Tuner's best trial, and a digest of the sources.
"""

from __future__ import annotations

import functools
import json
import os

import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from schema.keys import DIGEST_KEY
from schema.progress import tell
from schema.settings import from_dict, replace_values
from trainer.config import keys
from trainer.config.evaluation import EvaluationConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.dataset import Dataset, read_dataset
from trainer.distribution.cluster_task import CHIEF, read_cluster_task
from trainer.distribution.parameter_server import serve
from trainer.distribution.strategy import DistributionContext, make_distribution, resolve_strategy
from trainer.serving.export import export, serving_model
from trainer.training import states_folder
from trainer.training.checkpoint import digest
from trainer.training.train import train
from trainer.training.warm_start_source import (
    WarmStartSource,
    read_warm_start_source,
    write_warm_start_source,
)
from trainer.tuning.best_run import name_of_run


def run_fn(fn_args: FnArgs) -> None:
    """Train the configured model and write SavedModel, logs and report.

    Where several processes train together each of them calls this; the one that
    TF_CONFIG makes the chief writes, the others write nothing.

    Args:
      fn_args: what RecommenderTrainer's executor hands over.

    Raises:
      UserError: configuration, processes and data do not fit, or the training
        diverged.
    """
    settings = fn_args.custom_config
    config = from_dict(TrainerConfig, settings[keys.TRAINER_KEY], keys.TRAINER_KEY)
    if fn_args.hyperparameters:
        config = replace_values(config, fn_args.hyperparameters[keys.VALUES_KEY])
    task = read_cluster_task()
    config = resolve_strategy(config, task)
    if config.strategy == "parameter_server" and task.kind != CHIEF:
        serve(task, fn_args.serving_model_dir)
        return
    distribution = make_distribution(config, task)
    _train(config, fn_args, distribution)
    # The executor of every process looks for the model.
    distribution.wait_for_all()


def _train(config: TrainerConfig, fn_args: FnArgs, distribution: DistributionContext) -> None:
    settings = fn_args.custom_config
    evaluation = from_dict(EvaluationConfig, settings[keys.EVALUATION_KEY], keys.EVALUATION_KEY)
    dataset = read_dataset(
        fn_args.transform_graph_path,
        fn_args.train_files,
        fn_args.eval_files,
        settings[keys.CATALOG_KEY],
        settings[keys.USER_OOV_KEY],
        settings[keys.ITEM_OOV_KEY],
    )
    base = None
    if config.warm_start and fn_args.base_model:
        base = read_warm_start_source(fn_args.base_model, config)

    def name() -> str:
        return digest(config, evaluation, dataset, settings.get(DIGEST_KEY), base)

    with states_folder.claim(settings.get(keys.STATES_KEY), name, distribution) as states:
        _train_and_export(config, evaluation, dataset, base, states, fn_args, distribution)


def _train_and_export(
    config: TrainerConfig,
    evaluation: EvaluationConfig,
    dataset: Dataset,
    base: WarmStartSource | None,
    states: str | None,
    fn_args: FnArgs,
    distribution: DistributionContext,
) -> None:
    settings = fn_args.custom_config
    writes = distribution.task.writes
    run_dir = fn_args.model_run_dir if writes else None
    finished = None
    if settings.get(keys.BEST_RUN_KEY):
        finished = os.path.join(
            settings[keys.BEST_RUN_KEY], name_of_run(config, evaluation, dataset)
        )
        if tf.io.gfile.exists(finished):
            tell("the training of the Tuner's best trial is taken over")
    trained = train(
        config,
        evaluation,
        dataset,
        run_dir,
        states,
        base,
        distribution=distribution,
        finished_dir=finished,
    )
    if not writes:
        return
    tell("writing the model")
    export(
        serving_model(trained.model, dataset, evaluation.k, config.cold_start),
        fn_args.serving_model_dir,
        config.export_tflite,
        functools.partial(write_warm_start_source, trained.model, trained.chosen, config, dataset),
    )
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, keys.TRAINING_FILE), "w") as report:
        json.dump(trained.report, report, indent=2)
