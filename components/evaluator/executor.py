"""Executor of RecommenderEvaluator: judges of candidate and baseline for TFMA."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from typing import Any

from tfx import types
from tfx.components.evaluator import executor
from tfx.types import standard_component_specs
from tfx.utils import path_utils

from schema.settings import from_dict
from trainer.evaluation_config import EvaluationConfig
from trainer.judging import wrap

SETTINGS_KEY = "settings"
_MODELS = (
    standard_component_specs.MODEL_KEY,
    standard_component_specs.BASELINE_MODEL_KEY,
)


class Executor(executor.Executor):
    """The stock executor on judged models, all under the present settings."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Wraps the models, then evaluates; see the stock executor.

        Args:
          input_dict: as of the stock executor.
          output_dict: as of the stock executor.
          exec_properties: the same, and the evaluation settings as JSON.
        """
        values = json.loads(exec_properties[SETTINGS_KEY])
        evaluation = from_dict(EvaluationConfig, values, "evaluation")
        with tempfile.TemporaryDirectory() as folder:
            judged = dict(input_dict)
            for key in _MODELS:
                if input_dict.get(key):
                    (model,) = input_dict[key]
                    judged[key] = [_judged(model, evaluation, os.path.join(folder, key))]
            super().Do(judged, output_dict, exec_properties)


def _judged(model: types.Artifact, evaluation: EvaluationConfig, uri: str) -> types.Artifact:
    judged = copy.deepcopy(model)
    judged.uri = uri
    wrap(path_utils.serving_model_path(model.uri), evaluation, path_utils.serving_model_path(uri))
    return judged
