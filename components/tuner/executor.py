"""Executor of RecommenderTuner: reads the splits, searches, writes what was found."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import optuna
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, json_utils

from schema import features
from schema.keys import DIGEST_KEY
from schema.settings import from_dict, replace_values
from trainer.config import keys
from trainer.config.evaluation import EvaluationConfig
from trainer.config.runtime import changed
from trainer.config.trainer import TrainerConfig
from trainer.config.tuning import TuningConfig

if TYPE_CHECKING:
    from trainer.data.dataset import Dataset
    from trainer.tuning.trials import Search

BEST_FILE = "best_hyperparameters.txt"


class Executor(base_executor.BaseExecutor):
    """Run trainer.tuning.search on the artifacts."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Search for hyper-parameters and write what was found.

        Args:
          input_dict: artifacts by RecommenderTunerSpec's names.
          output_dict: likewise.
          exec_properties: custom_config as JSON, and what trainer.config.runtime reads.

        Raises:
          UserError: the space does not fit the configuration, or no trial could
            be trained.
        """
        # Whoever only wires or reads a pipeline shall not load the models.
        from trainer.training.checkpoint import digest
        from trainer.training.states_folder import claim
        from trainer.tuning.best_run import TrialStates, name_of_run
        from trainer.tuning.search import tune

        custom = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        trainer = changed(custom[keys.TRAINER_KEY], exec_properties)
        config = from_dict(TrainerConfig, trainer, keys.TRAINER_KEY)
        evaluation = from_dict(EvaluationConfig, custom[keys.EVALUATION_KEY], keys.EVALUATION_KEY)
        tuning = from_dict(TuningConfig, custom[keys.TUNE_KEY], keys.TUNE_KEY)
        dataset = _dataset(input_dict, custom)

        def name() -> str:
            # More trials go on with those that were finished.
            version = (custom.get(DIGEST_KEY), optuna.__version__)
            parts = (config, evaluation, dataset, tuning.replace(trials=0), version)
            return f"{keys.SEARCH_STATES}{digest(*parts)}"

        run = artifact_utils.get_single_uri(output_dict[keys.BEST_RUN_KEY])
        fileio.makedirs(run)
        with claim(custom.get(keys.STATES_KEY), name, keep=True) as folder:
            states = TrialStates(folder or run)
            search = tune(config, evaluation, dataset, tuning, folder, states)
            best = search.best()
            kept = states.folder_of(best.number)
            # Models that are solved for have no state.
            if fileio.exists(kept):
                found = replace_values(config, best.values)
                run_name = name_of_run(found, evaluation, dataset)
                io_utils.copy_dir(kept, os.path.join(run, run_name))
            if folder is None:
                states.drop(best.number)
            _write(search, output_dict)


def _dataset(input_dict: dict[str, list[types.Artifact]], custom: dict[str, Any]) -> Dataset:
    from trainer.data.dataset import read_dataset

    def patterns(key: str, split: str) -> list[str]:
        uris = artifact_utils.get_split_uris(input_dict[key], split)
        return [io_utils.all_files_pattern(uri) for uri in uris]

    graph = input_dict[standard_component_specs.TRANSFORM_GRAPH_KEY]
    return read_dataset(
        artifact_utils.get_single_uri(graph),
        patterns(standard_component_specs.EXAMPLES_KEY, features.TRAIN),
        patterns(standard_component_specs.EXAMPLES_KEY, features.VALID),
        patterns(keys.CATALOG_KEY, features.CATALOG),
        custom[keys.USER_OOV_KEY],
        custom[keys.ITEM_OOV_KEY],
    )


def _write(search: Search, output_dict: dict[str, list[types.Artifact]]) -> None:
    best = artifact_utils.get_single_uri(
        output_dict[standard_component_specs.BEST_HYPERPARAMETERS_KEY]
    )
    results = artifact_utils.get_single_uri(output_dict[standard_component_specs.TUNER_RESULTS_KEY])
    # As KerasTuner's HyperParameters.from_config reads it.
    chosen = {"space": [], keys.VALUES_KEY: search.best().values}
    for folder, name, text in (
        (best, BEST_FILE, json.dumps(chosen, indent=2)),
        (results, keys.TRIALS_FILE, json.dumps(search.report(), indent=2)),
        (results, keys.TABLE_FILE, search.csv()),
    ):
        fileio.makedirs(folder)
        with fileio.open(os.path.join(folder, name), "w") as file:
            file.write(text)
