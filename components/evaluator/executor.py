"""Executor of RecommenderEvaluator: wrap both models, let TFMA measure, apply the gate.

A model is exported without any protocol; what TFMA evaluates is the model
wrapped under the present evaluation settings, candidate and baseline alike.
"""

from __future__ import annotations

import copy
import json
import os
import uuid
from typing import Any

from tfx import types
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as stock
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils, path_utils

from components.evaluator.gate.baseline import Baseline, blessing_history, model_differences
from components.evaluator.gate.run_gate import run_gate
from components.evaluator.keys import (
    BLESSING_KEY,
    EVALUATION_KEY,
    EVALUATION_PROPERTY,
    FORCE_KEY,
    FORCE_PROPERTY,
    GATE_FILE,
    SETTINGS_KEY,
)
from components.evaluator.ranking.wrap import ModelFacts, wrap_for_evaluation
from schema.errors import UserError
from schema.progress import tell
from schema.settings import from_dict
from trainer.config.evaluation import EvaluationConfig

_Artifacts = dict[str, list[types.Artifact]]


class Executor(stock.Executor):
    """Run the stock executor on wrapped models, then the gate; see RecommenderEvaluator."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Evaluate and decide.

        Args:
          input_dict: as of the stock executor, and the baseline's blessing or
            nothing under BLESSING_KEY.
          output_dict: as of the stock executor.
          exec_properties: as of the stock executor, and SETTINGS_KEY; see
            RecommenderEvaluator.

        Raises:
          UserError: the candidate lacks a signature that is needed.
        """
        settings = json.loads(exec_properties[SETTINGS_KEY])
        scratch = os.path.join(self._get_tmp_dir(), f"wrapped-{uuid.uuid4().hex}")
        tell("wrapping the models for the evaluation")
        try:
            wrapped, baseline = _wrap_models(input_dict, settings[EVALUATION_KEY], scratch)
            tell("ranking and measuring, by protocol and slice")
            # Without thresholds it leaves the blessing alone.
            super().Do(wrapped, output_dict, exec_properties)
        finally:
            if fileio.exists(scratch):
                fileio.rmtree(scratch)
        evaluation = artifact_utils.get_single_uri(output_dict[specs.EVALUATION_KEY])
        tell("intervals and gate")
        verdict = run_gate(evaluation, settings, baseline)
        text = json.dumps(verdict, indent=2, allow_nan=False) + "\n"
        io_utils.write_string_file(os.path.join(evaluation, GATE_FILE), text)
        blessing = artifact_utils.get_single_instance(output_dict[specs.BLESSING_KEY])
        _describe(blessing, input_dict, settings, exec_properties.get("current_component_id"))
        _bless(blessing, verdict["blessed"])


def _wrap_models(
    input_dict: _Artifacts, evaluation: dict[str, Any], scratch: str
) -> tuple[_Artifacts, Baseline]:
    """Wrap each model; the inputs with the wrapped ones, and the baseline found.

    A baseline that cannot be wrapped is left out, so that the candidate is still
    measured; the gate decides what that means.
    """
    settings = from_dict(EvaluationConfig, evaluation, EVALUATION_KEY)
    candidate = artifact_utils.get_single_instance(input_dict[specs.MODEL_KEY])
    wrapped = {name: artifacts for name, artifacts in input_dict.items() if name != BLESSING_KEY}
    model, ours = _wrapped(candidate, settings, os.path.join(scratch, "candidate"))
    wrapped[specs.MODEL_KEY] = [model]
    found = wrapped.pop(specs.BASELINE_MODEL_KEY, None)
    if not found:
        return wrapped, Baseline()
    baseline = artifact_utils.get_single_instance(found)
    blessings = input_dict.get(BLESSING_KEY)
    notes = tuple(blessing_history(blessings[0] if blessings else None, evaluation))
    try:
        model, theirs = _wrapped(baseline, settings, os.path.join(scratch, "baseline"))
    except UserError as error:
        return wrapped, Baseline(baseline.uri, str(error), notes)
    except Exception as error:  # Whatever ails an old model; the same steps served the candidate.
        reason = " ".join(str(error).split())[:200]
        obstacle = f"{baseline.uri}: cannot be loaded ({type(error).__name__}: {reason})."
        return wrapped, Baseline(baseline.uri, obstacle, notes)
    wrapped[specs.BASELINE_MODEL_KEY] = [model]
    return wrapped, Baseline(baseline.uri, notes=(*model_differences(ours, theirs), *notes))


def _wrapped(
    model: types.Artifact, evaluation: EvaluationConfig, uri: str
) -> tuple[types.Artifact, ModelFacts]:
    """Return a copy of the artifact with the wrapped SavedModel, and what the model knows."""
    wrapped = copy.deepcopy(model)
    wrapped.uri = uri
    # As the stock executor will look for it: old artifacts nest one folder deeper.
    inside = _model_path(model).removeprefix(model.uri).strip("/")
    facts = wrap_for_evaluation(_model_path(model), evaluation, os.path.join(uri, inside))
    return wrapped, facts


def _model_path(model: types.Artifact) -> str:
    return path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))


def _describe(
    blessing: types.Artifact,
    input_dict: _Artifacts,
    settings: dict[str, Any],
    component: str | None,
) -> None:
    """Set the properties that the stock executor sets, and those of ours."""
    candidate = artifact_utils.get_single_instance(input_dict[specs.MODEL_KEY])
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, candidate.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, candidate.id)
    if input_dict.get(specs.BASELINE_MODEL_KEY):
        (baseline,) = input_dict[specs.BASELINE_MODEL_KEY]
        blessing.set_string_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baseline.uri
        )
        blessing.set_int_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baseline.id
        )
    if component is not None:
        blessing.set_string_custom_property("component_id", component)
    evaluation = json.dumps(settings[EVALUATION_KEY], sort_keys=True)
    blessing.set_string_custom_property(EVALUATION_PROPERTY, evaluation)
    if settings[FORCE_KEY] is not None:
        blessing.set_string_custom_property(FORCE_PROPERTY, settings[FORCE_KEY])


def _bless(blessing: types.Artifact, blessed: bool) -> None:
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
