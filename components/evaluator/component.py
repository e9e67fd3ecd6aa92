"""RecommenderEvaluator: TFX's Evaluator for exported models, with a gate of our own.

The stock spec has no slot for settings that are not
TFMA's, so the component declares its own.
"""

from __future__ import annotations

import json
from typing import Any

from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.utils import json_utils

from components.evaluator.executor import Executor
from components.evaluator.keys import BLESSING_KEY, SETTINGS_KEY
from schema import features


class RecommenderEvaluatorSpec(standard_component_specs.EvaluatorSpec):
    """Extend EvaluatorSpec by the settings of ranking and gate, and the baseline's blessing."""

    PARAMETERS = {  # noqa: RUF012 - the base class declares a plain dict
        **standard_component_specs.EvaluatorSpec.PARAMETERS,
        SETTINGS_KEY: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        **standard_component_specs.EvaluatorSpec.INPUTS,
        BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
    }


class RecommenderEvaluator(base_beam_component.BaseBeamComponent):
    """Evaluate a model and the last blessed one on `test`, and apply the gate.

    Outputs `evaluation` (what TFMA writes, and gate.json beside it) and
    `blessing`, which the stock Pusher and resolvers understand.

    Args:
      examples: of InteractionsExampleGen.
      model: of RecommenderTrainer; the candidate.
      baseline_model: the last blessed model, or none.
      baseline_blessing: what it was blessed with, or none.
      schema: of the examples.
      eval_config: metrics and slices for TFMA.
      settings: JSON-ready, by the keys of components.evaluator.keys: the
        EvaluationConfig, the GateConfig, and a reason to bless the model whatever
        the gate finds, or None. A digest of the sources among them makes an edit
        miss the cache.
    """

    SPEC_CLASS = RecommenderEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel,
        baseline_blessing: types.BaseChannel,
        schema: types.BaseChannel,
        eval_config: config_pb2.EvalConfig,
        settings: dict[str, Any],
    ) -> None:
        spec = RecommenderEvaluatorSpec(
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            schema=schema,
            eval_config=eval_config,
            example_splits=json_utils.dumps([features.TEST]),
            evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
            blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            **{
                BLESSING_KEY: baseline_blessing,
                SETTINGS_KEY: json.dumps(settings, sort_keys=True),
            },
        )
        super().__init__(spec=spec)
