"""RecommenderTrainer: TFX's Trainer with a `catalog` channel.

The stock spec has no slot for a second Examples artifact, so the component
declares its own.
"""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.utils import json_utils

from components.trainer.executor import Executor
from schema import features
from trainer.config.keys import BEST_RUN_KEY, CATALOG_KEY
from trainer.config.runtime import EPOCHS_KEY, OVERRIDES_KEY

RUN_FN = "trainer.run_fn.run_fn"


class RecommenderTrainerSpec(standard_component_specs.TrainerSpec):
    """Add the catalog, a finished trial and what a run may change to TrainerSpec."""

    PARAMETERS = {  # noqa: RUF012 - the base class declares a plain dict
        **standard_component_specs.TrainerSpec.PARAMETERS,
        EPOCHS_KEY: ExecutionParameter(type=int, optional=True),
        OVERRIDES_KEY: ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {  # noqa: RUF012
        **standard_component_specs.TrainerSpec.INPUTS,
        CATALOG_KEY: ChannelParameter(type=standard_artifacts.Examples),
        BEST_RUN_KEY: ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
    }


class RecommenderTrainer(base_component.BaseComponent):
    """Train and export one recommender.

    Outputs `model` (the SavedModel of trainer.serving.export) and `model_run`
    (TensorBoard logs, checkpoints and training.json).

    Args:
      examples: Transform's `transformed_examples` with the train and valid
        splits.
      transform_graph: Transform's `transform_graph`.
      catalog: `examples` of CatalogExampleGen.
      custom_config: JSON-ready settings for trainer.run_fn.run_fn; a digest of
        the sources among them makes an edit miss the cache.
      hyperparameters: `best_hyperparameters` of RecommenderTuner; its values
        stand in for those of custom_config.
      best_run: that of RecommenderTuner; where its training is the one that is
        asked for, it is taken over.
      base_model: what a warm start begins with; the channel may be empty.
      epochs: stands in for that of custom_config; see trainer.config.runtime.
      trainer_overrides: the same for any value, as JSON text.
    """

    SPEC_CLASS = RecommenderTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        catalog: types.BaseChannel,
        custom_config: dict[str, Any],
        hyperparameters: types.BaseChannel | None = None,
        best_run: types.BaseChannel | None = None,
        base_model: types.BaseChannel | None = None,
        epochs: int | RuntimeParameter | None = None,
        trainer_overrides: str | RuntimeParameter | None = None,
    ) -> None:
        spec = RecommenderTrainerSpec(
            examples=examples,
            transform_graph=transform_graph,
            catalog=catalog,
            hyperparameters=hyperparameters,
            base_model=base_model,
            run_fn=RUN_FN,
            train_args=trainer_pb2.TrainArgs(splits=[features.TRAIN]),
            eval_args=trainer_pb2.EvalArgs(splits=[features.VALID]),
            custom_config=json_utils.dumps(custom_config),
            **{BEST_RUN_KEY: best_run, EPOCHS_KEY: epochs, OVERRIDES_KEY: trainer_overrides},
            model=types.Channel(type=standard_artifacts.Model),
            model_run=types.Channel(type=standard_artifacts.ModelRun),
        )
        super().__init__(spec=spec)
