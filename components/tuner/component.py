"""RecommenderTuner: searches hyper-parameters, which RecommenderTrainer then takes.

The stock Tuner's interface is KerasTuner's, whose models are Keras 3, and has
no slot for the catalog; the artifacts are those of the stock one.
"""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import json_utils

from components.tuner.executor import Executor
from trainer.config.keys import BEST_RUN_KEY, CATALOG_KEY
from trainer.config.runtime import EPOCHS_KEY, OVERRIDES_KEY


class RecommenderTunerSpec(ComponentSpec):
    """Declare what RecommenderTrainer reads, the outputs of TunerSpec and the best trial."""

    PARAMETERS = {  # noqa: RUF012 - the base class declares a plain dict
        standard_component_specs.CUSTOM_CONFIG_KEY: ExecutionParameter(type=str),
        EPOCHS_KEY: ExecutionParameter(type=int, optional=True),
        OVERRIDES_KEY: ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {  # noqa: RUF012
        standard_component_specs.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        standard_component_specs.TRANSFORM_GRAPH_KEY: ChannelParameter(
            type=standard_artifacts.TransformGraph
        ),
        CATALOG_KEY: ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {  # noqa: RUF012
        **standard_component_specs.TunerSpec.OUTPUTS,
        BEST_RUN_KEY: ChannelParameter(type=standard_artifacts.ModelRun),
    }


class RecommenderTuner(base_component.BaseComponent):
    """Train on the train split again and again and compare on the valid split.

    Outputs `best_hyperparameters` and `best_run` (the state in which the best
    trial's training ended), which the Trainer takes, and `tuner_results` (all
    trials as trials.json and trials.csv).

    Args:
      examples: Transform's `transformed_examples` with the train and valid
        splits.
      transform_graph: Transform's `transform_graph`.
      catalog: `examples` of CatalogExampleGen.
      custom_config: JSON-ready settings, by trainer.config.keys; a digest of the
        sources among them makes an edit miss the cache.
      epochs: see RecommenderTrainer.
      trainer_overrides: see RecommenderTrainer.
    """

    SPEC_CLASS = RecommenderTunerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        catalog: types.BaseChannel,
        custom_config: dict[str, Any],
        epochs: int | RuntimeParameter | None = None,
        trainer_overrides: str | RuntimeParameter | None = None,
    ) -> None:
        spec = RecommenderTunerSpec(
            examples=examples,
            transform_graph=transform_graph,
            catalog=catalog,
            custom_config=json_utils.dumps(custom_config),
            **{
                EPOCHS_KEY: epochs,
                OVERRIDES_KEY: trainer_overrides,
                BEST_RUN_KEY: types.Channel(type=standard_artifacts.ModelRun),
            },
            best_hyperparameters=types.Channel(type=standard_artifacts.HyperParameters),
            tuner_results=types.Channel(type=standard_artifacts.TunerResults),
        )
        super().__init__(spec=spec)
