"""The JSON summary of a run, for scripts.

docs/summary.md describes every key; VERSION changes when a key changes its
meaning or goes away.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import math
import os
import platform
from typing import Any

from tfx.dsl.io import fileio
from tfx.types import standard_component_specs as specs

from components.evaluator.gate import run_gate
from components.evaluator.gate.result_files import read_metrics
from components.evaluator.gate.results import SliceResult
from components.example_gen import counts
from components.validator.keys import WARNING_PROPERTY
from pipeline import node_ids
from pipeline.config.run import RunConfig
from pipeline.metadata import pushed_models
from pipeline.metadata.runs import ComponentRun
from schema import atomic_write, settings
from trainer.config import keys

VERSION = 1

_PACKAGES = (
    "movielens-tfx",
    "tfx",
    "tensorflow",
    "tensorflow-recommenders",
    "tensorflow-transform",
    "tensorflow-model-analysis",
    "apache-beam",
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Hold the outcome of a run.

    Attributes:
      gate: the verdict on the model, see components.evaluator.gate.run_gate.run_gate.
      pushed: the version's folder under the served folder; None when not pushed.
      results: metrics, the overall slice first.
      training: what the Trainer tells of itself.
      tuning: what the Tuner found, and where its table lies; None without one.
      counts: of the data, by generator.
      warnings: one sentence a validator that found what does not stop a run.
      components: in the order in which they ran; without the resolver.
      curves: folder of the training's events, for TensorBoard.
      removed: whether that version was removed from the served folder since.
    """

    gate: dict[str, Any]
    pushed: str | None
    results: list[SliceResult]
    training: dict[str, Any]
    tuning: dict[str, Any] | None
    counts: dict[str, dict[str, int]]
    warnings: list[str]
    components: list[ComponentRun]
    curves: str
    removed: bool = False


def read_outcome(runs: dict[str, ComponentRun]) -> Outcome:
    """Gather what the components of a finished run left.

    Args:
      runs: the run's components, from pipeline.metadata.runs.

    Returns:
      The outcome.
    """
    evaluation = runs[node_ids.EVALUATOR].outputs[specs.EVALUATION_KEY][0].uri
    pushed = runs[node_ids.PUSHER].outputs[specs.PUSHED_MODEL_KEY][0].properties
    resolvers = (node_ids.RESOLVER, node_ids.BASE_RESOLVER)
    model_run = runs[node_ids.TRAINER].outputs[specs.MODEL_RUN_KEY][0].uri
    return Outcome(
        gate=run_gate.read(evaluation),
        pushed=pushed[pushed_models.DESTINATION] if pushed.get(pushed_models.PUSHED) == 1 else None,
        results=read_metrics(evaluation),
        training=_read_json(os.path.join(model_run, keys.TRAINING_FILE)),
        tuning=_tuning(runs),
        counts={
            "interactions": _counts(runs[node_ids.INTERACTIONS], counts.INTERACTION_COUNTS),
            "catalog": _counts(runs[node_ids.CATALOG], counts.CATALOG_COUNTS),
        },
        warnings=_warnings(runs),
        # A resolver computes nothing, and so has nothing to reuse.
        components=[run for name, run in runs.items() if name not in resolvers],
        curves=os.path.join(model_run, keys.LOGS_FOLDER),
    )


def build(config: RunConfig, run: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    """Put the summary together.

    Args:
      config: what was asked for.
      run: what the runner knows: run id, data folder and format, output folder,
        log file, seconds.
      outcome: what came of it.

    Returns:
      JSON-ready; see docs/summary.md.
    """
    return {
        "summary_version": VERSION,
        "run": {**run, "tensorboard": outcome.curves},
        "configuration": settings.to_dict(config),
        "data": {**outcome.counts, "warnings": outcome.warnings},
        "components": [
            {"name": c.name, "seconds": round(c.seconds, 3), "cached": c.cached}
            for c in outcome.components
        ],
        "tuning": outcome.tuning,
        "training": outcome.training,
        "metrics": [dataclasses.asdict(result) for result in outcome.results],
        "gate": outcome.gate,
        "pushed_model": outcome.pushed,
        "pushed_model_removed": outcome.removed,
        "versions": versions(),
    }


def write(summary: dict[str, Any], path: str) -> None:
    """Write a summary, whole or not at all.

    Args:
      summary: JSON-ready.
      path: the file, local or a URI; its folder exists.
    """
    atomic_write.write(path, as_json(summary))


def as_json(report: dict[str, Any]) -> str:
    """Format a report as text.

    Args:
      report: JSON-ready, but for figures that may not exist.

    Returns:
      JSON, ending with a line feed.
    """
    return json.dumps(_plain(report), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Replace figures that do not exist by None: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _tuning(runs: dict[str, ComponentRun]) -> dict[str, Any] | None:
    if node_ids.TUNER not in runs:
        return None
    folder = runs[node_ids.TUNER].outputs[specs.TUNER_RESULTS_KEY][0].uri
    results = _read_json(os.path.join(folder, keys.TRIALS_FILE))
    del results["history"]
    return {**results, "table": os.path.join(folder, keys.TABLE_FILE)}


def _read_json(path: str) -> Any:
    with fileio.open(path, "r") as file:
        return json.loads(file.read())


def _counts(run: ComponentRun, names: tuple[str, ...]) -> dict[str, int]:
    properties = run.outputs["examples"][0].properties
    return {name: properties[name] for name in names}


def _warnings(runs: dict[str, ComponentRun]) -> list[str]:
    validators = (node_ids.INTERACTIONS_VALIDATOR, node_ids.CATALOG_VALIDATOR)
    found = [runs[name].outputs[specs.ANOMALIES_KEY][0].properties for name in validators]
    return [str(it[WARNING_PROPERTY]) for it in found if it.get(WARNING_PROPERTY)]


def versions() -> dict[str, str]:
    """List the versions of Python and of the packages that decide what figures come out.

    Returns:
      By name; "unknown" for a package that is not installed.
    """
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            # Run from a folder that was never installed.
            found[package] = "unknown"
    return found
