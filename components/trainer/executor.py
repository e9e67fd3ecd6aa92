"""Executor of RecommenderTrainer: hands more inputs and changed settings to run_fn."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.components.trainer import executor, fn_args_utils
from tfx.types import artifact_utils
from tfx.utils import io_utils

from schema import features
from trainer.config.keys import BEST_RUN_KEY, CATALOG_KEY, TRAINER_KEY
from trainer.config.runtime import changed


class Executor(executor.GenericExecutor):
    """Run the stock executor; run_fn finds the catalog's files in custom_config.

    So it does the Tuner's best trial, and what a run changes of the settings is
    put over them there too.
    """

    def _GetFnArgs(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> fn_args_utils.FnArgs:
        fn_args = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        uris = artifact_utils.get_split_uris(input_dict[CATALOG_KEY], features.CATALOG)
        fn_args.custom_config[CATALOG_KEY] = [io_utils.all_files_pattern(uri) for uri in uris]
        if input_dict.get(BEST_RUN_KEY):
            fn_args.custom_config[BEST_RUN_KEY] = artifact_utils.get_single_uri(
                input_dict[BEST_RUN_KEY]
            )
        config = fn_args.custom_config[TRAINER_KEY]
        fn_args.custom_config[TRAINER_KEY] = changed(config, exec_properties)
        return fn_args
