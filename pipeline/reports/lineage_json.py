"""The report on a pushed model, as `movielens-lineage --json` writes it.

docs/lineage.md describes every key.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from typing import Any

from tfx.dsl.io import fileio
from tfx.types import standard_component_specs as specs

from components.evaluator.gate import run_gate
from components.evaluator.gate.result_files import read_metrics
from components.evaluator.keys import SETTINGS_KEY
from components.example_gen import counts, executor
from pipeline import node_ids
from pipeline.metadata import pushed_models
from pipeline.metadata.lineage import Ancestry, OtherModel, Step
from pipeline.metadata.pushed_models import Artifact
from schema import curated
from schema.keys import DIGEST_KEY
from trainer.config import keys

# Changes when a key changes its meaning or goes away.
VERSION = 1

_COUNTS = {
    node_ids.INTERACTIONS: counts.INTERACTION_COUNTS,
    node_ids.CATALOG: counts.CATALOG_COUNTS,
}
# Properties in which components carry the digest of their sources.
_CARRIERS = (specs.CUSTOM_CONFIG_KEY, SETTINGS_KEY)


def build(ancestry: Ancestry, label: str) -> dict[str, Any]:
    """Gather what is known of a pushed model.

    Args:
      ancestry: what ML Metadata knows.
      label: what to call the store.

    Returns:
      JSON-ready but for NaN; see docs/lineage.md. Of what lies in artifacts,
      that which is gone is None.
    """
    push = ancestry.steps[0]
    return {
        "lineage_version": VERSION,
        "metadata": label,
        "model": _model(ancestry),
        "data": [_data(step, ancestry) for step in ancestry.steps if step.component in _COUNTS],
        "code": [code for step in ancestry.steps if (code := _code(step))],
        "configuration": ancestry.configuration,
        "tuned": _tuned(ancestry),
        "training": _training(ancestry),
        **_judgement(ancestry),
        "other_models": [_other(other) for other in ancestry.others],
        "steps": [
            {**dataclasses.asdict(step), "started": _time(step), "cached": step.run != push.run}
            for step in ancestry.steps
        ],
        "artifacts": [dataclasses.asdict(one) for _, one in sorted(ancestry.artifacts.items())],
    }


def _model(ancestry: Ancestry) -> dict[str, Any]:
    """Describe the push itself."""
    pushed, push = ancestry.pushed, ancestry.steps[0]
    return {
        "pushed_model": pushed.properties[pushed_models.DESTINATION],
        "version": pushed.properties[pushed_models.VERSION],
        "artifact": pushed.id,
        "uri": pushed.uri,
        "pipeline": push.pipeline,
        "run": push.run,
        "time": _time(push),
        "reused_by": ancestry.reused_by,
        "tfx": pushed.properties.get("tfx_version"),
    }


def _other(other: OtherModel) -> dict[str, Any]:
    pushed = other.pushed
    return {
        "part": other.part,
        "artifact": other.artifact.id,
        "uri": other.artifact.uri,
        "pushed_model": pushed.properties[pushed_models.DESTINATION] if pushed else None,
    }


def _time(step: Step) -> str:
    """Format when a step started, in this machine's time zone."""
    moment = datetime.datetime.fromtimestamp(step.started / 1000).astimezone()
    return moment.isoformat(sep=" ", timespec="seconds")


def _output(ancestry: Ancestry, component: str, key: str) -> Artifact | None:
    """Find what a component made under a key; None where it is gone, or had no part."""
    for step in ancestry.steps:
        for artifact in step.outputs.get(key, ()):
            if step.component == component:
                found = ancestry.artifacts[artifact]
                return found if fileio.exists(found.uri) else None
    return None


def _data(step: Step, ancestry: Ancestry) -> dict[str, Any]:
    """Describe the raw files that a generator read."""
    (examples,) = step.outputs[specs.EXAMPLES_KEY]
    known = ancestry.artifacts[examples].properties
    packed = json.loads(step.properties[specs.CUSTOM_CONFIG_KEY])["custom_config"]["value"]
    splits = json.loads(step.properties[specs.INPUT_CONFIG_KEY])["splits"]
    patterns = {split["name"]: split["pattern"] for split in splits}
    files = []
    for line in known["input_fingerprint"].splitlines():
        role, _, fingerprint = line.removeprefix("split:").partition(",")
        path = os.path.join(step.properties[specs.INPUT_BASE_KEY], patterns[role])
        files.append({"role": role, "path": path, "fingerprint": fingerprint})
    return {
        "component": step.component,
        "format": packed[executor.FORMAT_KEY],
        "files": files,
        "counts": {name: known[name] for name in _COUNTS[step.component] if name in known},
    }


def _code(step: Step) -> dict[str, Any] | None:
    """Give the digest of a component's sources, and whether they are the same here."""
    if "digest" in step.properties:
        digest, here = step.properties["digest"], curated.digest(step.properties["name"])
    elif found := _find([step.properties.get(name) for name in _CARRIERS]):
        digest, here = found, node_ids.digest(step.component)
    else:
        return None
    return {"component": step.component, "digest": digest, "same_here": digest == here}


def _find(value: Any) -> str | None:
    """Find a component's digest, wherever in its properties it is."""
    if isinstance(value, str) and DIGEST_KEY in value:
        return _find(json.loads(value))
    if isinstance(value, dict) and DIGEST_KEY in value:
        return str(value[DIGEST_KEY])
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for one in inner if (found := _find(one))), None)


def _tuned(ancestry: Ancestry) -> dict[str, Any] | None:
    """Read the values that the Tuner chose instead of the configured ones."""
    if (results := _output(ancestry, node_ids.TUNER, specs.TUNER_RESULTS_KEY)) is None:
        return None
    values: dict[str, Any] = _read(results, keys.TRIALS_FILE)["best"]["values"]
    return values


def _training(ancestry: Ancestry) -> dict[str, Any] | None:
    """Read the Trainer's report, without its epochs."""
    if (run := _output(ancestry, node_ids.TRAINER, specs.MODEL_RUN_KEY)) is None:
        return None
    told = _read(run, keys.TRAINING_FILE)
    del told["history"]
    return told


def _read(artifact: Artifact, name: str) -> dict[str, Any]:
    with fileio.open(os.path.join(artifact.uri, name), "r") as file:
        content: dict[str, Any] = json.loads(file.read())
    return content


def _judgement(ancestry: Ancestry) -> dict[str, Any]:
    """Read the metrics and the verdict."""
    evaluation = _output(ancestry, node_ids.EVALUATOR, specs.EVALUATION_KEY)
    if evaluation is None:
        return {"metrics": None, "gate": None}
    figures = [dataclasses.asdict(result) for result in read_metrics(evaluation.uri)]
    return {"metrics": figures, "gate": run_gate.read(evaluation.uri)}
