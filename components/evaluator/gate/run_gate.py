"""The gate on a finished evaluation, and its verdict as gate.json has it.

The executor of components.evaluator calls `run_gate` under the dotted name that
pipeline.pipeline hands to it, as it hands preprocessing_fn to Transform.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from typing import Any

from tfx.dsl.io import fileio

from components.evaluator.executor import EVALUATION_KEY, FORCE_KEY, GATE_FILE
from components.evaluator.gate.baseline import Baseline
from components.evaluator.gate.config import GateConfig
from components.evaluator.gate.results import read_metrics
from components.evaluator.gate.rules import FAILED, Finding, decide
from schema.settings import from_dict
from trainer.config.evaluation import EvaluationConfig

# Of the component's settings, beside those that its executor reads.
GATE_KEY = "gate"


def run_gate(
    evaluation_uri: str, settings: dict[str, Any], baseline: dict[str, Any]
) -> dict[str, Any]:
    """Applies the gate to what TFMA has written.

    Args:
      evaluation_uri: of a ModelEvaluation artifact.
      settings: an EvaluationConfig and a GateConfig as dicts, and why the model
        is to be blessed whatever comes of the rules, or None, under their keys.
      baseline: a Baseline as dict.

    Returns:
      JSON-ready: `blessed`, `passed`, `forced`, `reasons`, `notes`,
      `baseline_model` and `rules`; see docs/evaluation.md.
    """
    evaluation = from_dict(EvaluationConfig, settings[EVALUATION_KEY], EVALUATION_KEY)
    gate = from_dict(GateConfig, settings[GATE_KEY], GATE_KEY)
    compared = Baseline(**{**baseline, "notes": tuple(baseline.get("notes", ()))})
    findings = decide(read_metrics(evaluation_uri), gate, evaluation.k, compared)
    reasons = [finding.reason for finding in findings if finding.verdict == FAILED]
    notes = list(compared.notes)
    if compared.obstacle is not None and not gate.compares:
        notes.append(f"The last blessed model was not compared with: {compared.obstacle}")
    return {
        "blessed": not reasons or settings[FORCE_KEY] is not None,
        "passed": not reasons,
        "forced": settings[FORCE_KEY],
        "reasons": reasons,
        "notes": notes,
        "baseline_model": compared.model,
        "rules": [_row(finding) for finding in findings],
    }


def read(evaluation_uri: str) -> dict[str, Any]:
    """Reads the verdict that the Evaluator left.

    Args:
      evaluation_uri: of a ModelEvaluation artifact.

    Returns:
      What `run_gate` returned.
    """
    with fileio.open(os.path.join(evaluation_uri, GATE_FILE), "r") as file:
        verdict: dict[str, Any] = json.loads(file.read())
    return verdict


def _row(finding: Finding) -> dict[str, Any]:
    """A finding as JSON has it, which knows no NaN."""
    row = dataclasses.asdict(finding)
    for name, value in row.items():
        if isinstance(value, dict):
            figures = {key: None if math.isnan(inner) else inner for key, inner in value.items()}
            row[name] = figures if figures["value"] is not None else None
    return row
