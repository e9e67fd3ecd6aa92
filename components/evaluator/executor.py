"""Executor of RecommenderEvaluator: judge both models, let TFMA measure, apply the gate.

Run by TFX for `component.RecommenderEvaluator`. A model is exported without any
protocol; what TFMA evaluates is the model with a judge of the present
evaluation settings around it, candidate and baseline alike.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import json
import os
import uuid
from typing import Any

from tfx import types
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as stock
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils, path_utils

from components.evaluator.gate import baseline as compatibility
from components.evaluator.gate.baseline import Baseline
from components.evaluator.ranking.wrap import ModelFacts, wrap
from schema.errors import UserError
from schema.settings import from_dict
from trainer.config.evaluation import EvaluationConfig

# Inputs and parameters that the stock component lacks.
BLESSING_KEY = "baseline_blessing"
SETTINGS_KEY = "settings"
GATE_FN_KEY = "gate_fn"
# What the executor itself reads of the settings.
EVALUATION_KEY = "evaluation"
FORCE_KEY = "force_bless"
GATE_FILE = "gate.json"

_Artifacts = dict[str, list[types.Artifact]]


class Executor(stock.Executor):
    """The stock executor between a judge and a gate; see RecommenderEvaluator."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Evaluates and decides.

        Args:
          input_dict: as of the stock executor, and the baseline's blessing or
            nothing under BLESSING_KEY.
          output_dict: as of the stock executor.
          exec_properties: as of the stock executor, SETTINGS_KEY and GATE_FN_KEY;
            see RecommenderEvaluator.

        Raises:
          UserError: the candidate lacks a signature that the judge needs.
        """
        settings = json.loads(exec_properties[SETTINGS_KEY])
        scratch = os.path.join(self._get_tmp_dir(), f"judged-{uuid.uuid4().hex}")
        try:
            judged, baseline = _judge(input_dict, settings[EVALUATION_KEY], scratch)
            # The stock executor blesses by TFMA's thresholds alone, so it gets a
            # blessing of its own.
            discarded = standard_artifacts.ModelBlessing()
            discarded.uri = os.path.join(scratch, "blessing")
            outputs = {**output_dict, specs.BLESSING_KEY: [discarded]}
            super().Do(judged, outputs, exec_properties)
        finally:
            if fileio.exists(scratch):
                fileio.rmtree(scratch)
        evaluation = artifact_utils.get_single_uri(output_dict[specs.EVALUATION_KEY])
        module, _, name = exec_properties[GATE_FN_KEY].rpartition(".")
        gate = getattr(importlib.import_module(module), name)
        verdict = gate(evaluation, settings, dataclasses.asdict(baseline))
        text = json.dumps(verdict, indent=2, allow_nan=False) + "\n"
        io_utils.write_string_file(os.path.join(evaluation, GATE_FILE), text)
        blessing = artifact_utils.get_single_instance(output_dict[specs.BLESSING_KEY])
        _describe(blessing, input_dict, settings, exec_properties.get("current_component_id"))
        _bless(blessing, verdict["blessed"])


def _judge(
    input_dict: _Artifacts, evaluation: dict[str, Any], scratch: str
) -> tuple[_Artifacts, Baseline]:
    """Puts a judge around each model; the inputs with those models, and the baseline found.

    A baseline that cannot be judged is left out, so that the candidate is still
    measured; the gate decides what that means.
    """
    settings = from_dict(EvaluationConfig, evaluation, EVALUATION_KEY)
    candidate = artifact_utils.get_single_instance(input_dict[specs.MODEL_KEY])
    judged = {name: artifacts for name, artifacts in input_dict.items() if name != BLESSING_KEY}
    wrapped, ours = _wrapped(candidate, settings, os.path.join(scratch, "candidate"))
    judged[specs.MODEL_KEY] = [wrapped]
    found = judged.pop(specs.BASELINE_MODEL_KEY, None)
    if not found:
        return judged, Baseline()
    baseline = artifact_utils.get_single_instance(found)
    blessings = input_dict.get(BLESSING_KEY)
    notes = tuple(compatibility.history(blessings[0] if blessings else None, evaluation))
    try:
        wrapped, theirs = _wrapped(baseline, settings, os.path.join(scratch, "baseline"))
    except UserError as error:
        return judged, Baseline(baseline.uri, str(error), notes)
    except Exception as error:  # Whatever ails an old model; the same steps served the candidate.
        reason = " ".join(str(error).split())[:200]
        obstacle = f"{baseline.uri}: cannot be loaded ({type(error).__name__}: {reason})."
        return judged, Baseline(baseline.uri, obstacle, notes)
    judged[specs.BASELINE_MODEL_KEY] = [wrapped]
    return judged, Baseline(baseline.uri, notes=(*compatibility.differences(ours, theirs), *notes))


def _wrapped(
    model: types.Artifact, evaluation: EvaluationConfig, uri: str
) -> tuple[types.Artifact, ModelFacts]:
    """A copy of the artifact whose SavedModel has a judge around it; what the model knows."""
    judged = copy.deepcopy(model)
    judged.uri = uri
    # As the stock executor will look for it: old artifacts nest one folder deeper.
    inside = _model_path(model).removeprefix(model.uri).strip("/")
    return judged, wrap(_model_path(model), evaluation, os.path.join(uri, inside))


def _model_path(model: types.Artifact) -> str:
    return path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))


def _describe(
    blessing: types.Artifact,
    input_dict: _Artifacts,
    settings: dict[str, Any],
    component: str | None,
) -> None:
    """Sets the properties that the stock executor sets, and those of ours."""
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
    blessing.set_string_custom_property(compatibility.EVALUATION_PROPERTY, evaluation)
    if settings[FORCE_KEY] is not None:
        blessing.set_string_custom_property(compatibility.FORCE_PROPERTY, settings[FORCE_KEY])


def _bless(blessing: types.Artifact, blessed: bool) -> None:
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
