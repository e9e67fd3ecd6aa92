"""Executor of RecommenderEvaluator: load both models, let TFMA measure, apply the gate.

A model is exported without any protocol; what is measured is the model wrapped
under the present evaluation settings, candidate and baseline alike.
"""

from __future__ import annotations

import functools
import json
import os
from typing import Any, NamedTuple

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils, json_utils, path_utils, proto_utils

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
from components.evaluator.measuring import measure, shared_model
from components.evaluator.ranking.evaluation_model import EvaluationModel
from components.evaluator.ranking.wrap import model_facts, wrap_for_evaluation
from schema.errors import UserError
from schema.progress import tell
from schema.settings import from_dict
from trainer.config.evaluation import EvaluationConfig

_Artifacts = dict[str, list[types.Artifact]]


class Executor(base_beam_executor.BaseBeamExecutor):
    """Measure the models, then apply the gate; see RecommenderEvaluator."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Evaluate and decide.

        Args:
          input_dict: as of TFX's Evaluator, and the baseline's blessing or
            nothing under BLESSING_KEY.
          output_dict: as of TFX's Evaluator.
          exec_properties: as of TFX's Evaluator, and SETTINGS_KEY; see
            RecommenderEvaluator.

        Raises:
          UserError: the candidate lacks a signature that is needed.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = json.loads(exec_properties[SETTINGS_KEY])
        tell("loading the models for the evaluation")
        models, baseline = _load_models(input_dict, settings[EVALUATION_KEY])
        evaluation = artifact_utils.get_single_uri(output_dict[specs.EVALUATION_KEY])
        eval_config = config_pb2.EvalConfig()
        proto_utils.json_to_proto(exec_properties[specs.EVAL_CONFIG_KEY], eval_config)
        splits = json_utils.loads(exec_properties[specs.EXAMPLE_SPLITS_KEY])
        files = _files(input_dict[specs.EXAMPLES_KEY], splits)
        tell("ranking and measuring, by protocol and slice")
        with self._make_beam_pipeline() as pipeline:
            measure(pipeline, files, [model.shared for model in models], eval_config, evaluation)
        tell("intervals and gate")
        verdict = run_gate(evaluation, settings, baseline)
        text = json.dumps(verdict, indent=2, allow_nan=False) + "\n"
        io_utils.write_string_file(os.path.join(evaluation, GATE_FILE), text)
        blessing = artifact_utils.get_single_instance(output_dict[specs.BLESSING_KEY])
        _describe(blessing, input_dict, settings, exec_properties.get("current_component_id"))
        _bless(blessing, verdict["blessed"])


class _Loaded(NamedTuple):
    """Hold a model on which TFMA's loader lights, as long as it is held, in this process.

    Attributes:
      shared: what TFMA knows of it.
      model: the EvaluationModel.
    """

    shared: tfma.EvalSharedModel
    model: EvaluationModel


def _load_models(
    input_dict: _Artifacts, evaluation: dict[str, Any]
) -> tuple[list[_Loaded], Baseline]:
    """Load the candidate, and the baseline where there is one; what was found of the latter.

    A baseline that cannot be loaded is left out, so that the candidate is still
    measured; the gate decides what that means.
    """
    settings = from_dict(EvaluationConfig, evaluation, EVALUATION_KEY)
    candidate = artifact_utils.get_single_instance(input_dict[specs.MODEL_KEY])
    models = [_load(tfma.constants.CANDIDATE_KEY, candidate, settings)]
    found = input_dict.get(specs.BASELINE_MODEL_KEY)
    if not found:
        return models, Baseline()
    baseline = artifact_utils.get_single_instance(found)
    blessings = input_dict.get(BLESSING_KEY)
    notes = tuple(blessing_history(blessings[0] if blessings else None, evaluation))
    try:
        models.append(_load(tfma.constants.BASELINE_KEY, baseline, settings))
    except UserError as error:
        return models, Baseline(baseline.uri, str(error), notes)
    except Exception as error:  # Whatever ails an old model; the same steps served the candidate.
        reason = " ".join(str(error).split())[:200]
        obstacle = f"{baseline.uri}: cannot be loaded ({type(error).__name__}: {reason})."
        return models, Baseline(baseline.uri, obstacle, notes)
    ours, theirs = (model_facts(loaded.model) for loaded in models)
    return models, Baseline(baseline.uri, notes=(*model_differences(ours, theirs), *notes))


def _load(name: str, artifact: types.Artifact, evaluation: EvaluationConfig) -> _Loaded:
    path = path_utils.serving_model_path(artifact.uri, path_utils.is_old_model_artifact(artifact))
    load = functools.partial(wrap_for_evaluation, path, evaluation)
    shared = shared_model(name, path, load)
    return _Loaded(shared, shared.model_loader.load())


def _files(examples: list[types.Artifact], splits: list[str]) -> list[str]:
    """Find the files of the splits of all artifacts."""
    uris = (uri for split in splits for uri in artifact_utils.get_split_uris(examples, split))
    return [file for uri in uris for file in sorted(fileio.glob(io_utils.all_files_pattern(uri)))]


def _describe(
    blessing: types.Artifact,
    input_dict: _Artifacts,
    settings: dict[str, Any],
    component: str | None,
) -> None:
    """Set the properties that TFX's Evaluator sets, and those of ours."""
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
