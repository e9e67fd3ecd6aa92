"""RecommenderEvaluator: TFX's Evaluator with the evaluation settings as a parameter.

Wired in pipeline.pipeline.
"""

from __future__ import annotations

import json
from typing import Any

from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ExecutionParameter

from components.evaluator.executor import SETTINGS_KEY, Executor
from schema import features


class RecommenderEvaluatorSpec(standard_component_specs.EvaluatorSpec):
    """EvaluatorSpec with the evaluation settings among its parameters."""

    PARAMETERS = {  # noqa: RUF012 - the base class declares a plain dict
        **standard_component_specs.EvaluatorSpec.PARAMETERS,
        SETTINGS_KEY: ExecutionParameter(type=str),
    }


class RecommenderEvaluator(base_beam_component.BaseBeamComponent):
    """Evaluates a recommender on the test split, as the stock Evaluator does.

    Args:
      examples: of InteractionsExampleGen.
      model: the candidate.
      baseline_model: the last blessed one.
      eval_config: metrics, slices and thresholds.
      evaluation: JSON-ready settings of the judge, trainer.evaluation_config.
      schema: of the examples.
    """

    SPEC_CLASS = RecommenderEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel,
        eval_config: config_pb2.EvalConfig,
        evaluation: dict[str, Any],
        schema: types.BaseChannel,
    ) -> None:
        spec = RecommenderEvaluatorSpec(
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            eval_config=eval_config,
            example_splits=json.dumps([features.TEST]),
            schema=schema,
            evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
            blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            **{SETTINGS_KEY: json.dumps(evaluation, sort_keys=True)},
        )
        super().__init__(spec=spec)
