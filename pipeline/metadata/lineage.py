"""Where a pushed model comes from, as ML Metadata recorded it.

Follows the records from a PushedModel artifact through the executions that made
it, whichever runs they belong to, to the example generators that read the raw
files.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.types import standard_component_specs

from components.evaluator.keys import BLESSING_KEY
from pipeline.metadata import pushed_models
from pipeline.metadata import runs as records
from pipeline.metadata.pushed_models import Artifact
from schema.keys import CONFIGURATION_KEY

# Inputs that are other models, which have ancestors of their own.
_OTHER_MODELS = {
    standard_component_specs.BASE_MODEL_KEY: "training started from it",
    standard_component_specs.BASELINE_MODEL_KEY: "the gate compared with it",
}
_ENDS = (*_OTHER_MODELS, BLESSING_KEY)


@dataclasses.dataclass(frozen=True)
class Step:
    """Describe an execution that had a part in a model; one that ran, never one that was cached.

    Attributes:
      id: in the metadata store.
      component: the node's id in the pipeline.
      pipeline: the pipeline's name.
      run: id of the pipeline run that it ran in.
      started: milliseconds since 1970.
      seconds: wall time.
      inputs: ids of artifacts by input key.
      outputs: ids of artifacts by output key.
      properties: of the execution, by name.
    """

    id: int
    component: str
    pipeline: str
    run: str
    started: int
    seconds: float
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    properties: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class OtherModel:
    """Describe a model that had a part in the making of another.

    Attributes:
      part: what part, in words.
      artifact: the Model.
      pushed: the PushedModel made of it, the newest; None where there is none.
    """

    part: str
    artifact: Artifact
    pushed: Artifact | None


@dataclasses.dataclass(frozen=True)
class Ancestry:
    """Hold a pushed model and all that it was made from.

    Attributes:
      pushed: the PushedModel.
      steps: the push first, then what came before, the newest first.
      artifacts: what the steps read and made, by id.
      others: models it was started from or compared with.
      reused_by: ids of later pipeline runs whose result is this same push.
      configuration: of the run that pushed it; None where the run recorded none.
    """

    pushed: Artifact
    steps: list[Step]
    artifacts: dict[int, Artifact]
    others: list[OtherModel]
    reused_by: list[str]
    configuration: dict[str, Any] | None


def trace(store: mlmd.MetadataStore, model: Artifact) -> Ancestry:
    """Follow a pushed model back to the raw data.

    Args:
      store: where it is recorded.
      model: a PushedModel.

    Returns:
      Its ancestry.
    """
    # ML Metadata's get_lineage_subgraph does not serve: it cannot end at an input's
    # key, so that it goes on through the models that were started from and compared
    # with, gives up silently after 100 hops, and what it returns wants the same walk.
    steps: dict[int, Step] = {}
    wanted = {model.id}
    seen: set[int] = set()
    while wanted:
        seen |= wanted
        makers = _makers(store, wanted)
        found = [_step(store, execution) for execution in makers if execution.id not in steps]
        steps |= {step.id: step for step in found}
        inputs = {
            artifact
            for step in found
            for key, ids in step.inputs.items()
            if key not in _ENDS
            for artifact in ids
        }
        wanted = inputs - seen
    newest_first = sorted(steps.values(), key=lambda step: -step.id)
    ids = {
        i for s in newest_first for ids in (s.inputs, s.outputs) for v in ids.values() for i in v
    }
    artifacts = {artifact.id: artifact for artifact in _artifacts(store, ids)}
    return Ancestry(
        pushed=model,
        steps=newest_first,
        artifacts=artifacts,
        others=_others(store, newest_first, artifacts),
        reused_by=_reused_by(store, model),
        configuration=_configuration(store, newest_first[0]),
    )


def _artifacts(store: mlmd.MetadataStore, ids: Iterable[int]) -> list[Artifact]:
    return [pushed_models.describe(artifact) for artifact in store.get_artifacts_by_id(list(ids))]


def _events(store: mlmd.MetadataStore, executions: Iterable[int]) -> list[metadata_store_pb2.Event]:
    ids = list(executions)
    return list(store.get_events_by_execution_ids(ids)) if ids else []


def _outputs_of(
    store: mlmd.MetadataStore, ids: Iterable[int]
) -> list[metadata_store_pb2.Execution]:
    """Find the executions that gave out one of the artifacts, made or cached."""
    events = store.get_events_by_artifact_ids(list(ids))
    makers = {e.execution_id for e in events if e.type == metadata_store_pb2.Event.OUTPUT}
    return list(store.get_executions_by_id(list(makers))) if makers else []


def _makers(store: mlmd.MetadataStore, ids: Iterable[int]) -> list[metadata_store_pb2.Execution]:
    complete = metadata_store_pb2.Execution.COMPLETE
    return [e for e in _outputs_of(store, ids) if e.last_known_state == complete]


def _step(store: mlmd.MetadataStore, execution: metadata_store_pb2.Execution) -> Step:
    contexts = records.contexts_of(store, execution.id)
    sides: dict[int, dict[str, list[int]]] = {
        metadata_store_pb2.Event.INPUT: {},
        metadata_store_pb2.Event.OUTPUT: {},
    }
    for event in _events(store, [execution.id]):
        if event.type in sides:
            sides[event.type].setdefault(event.path.steps[0].key, []).append(event.artifact_id)
    return Step(
        id=execution.id,
        component=records.node_name(contexts),
        pipeline=contexts[constants.PIPELINE_CONTEXT_TYPE_NAME].name,
        run=contexts[constants.PIPELINE_RUN_CONTEXT_TYPE_NAME].name,
        started=execution.create_time_since_epoch,
        seconds=records.seconds(execution),
        inputs=sides[metadata_store_pb2.Event.INPUT],
        outputs=sides[metadata_store_pb2.Event.OUTPUT],
        properties=records.plain({**execution.properties, **execution.custom_properties}),
    )


def _others(
    store: mlmd.MetadataStore, steps: list[Step], artifacts: dict[int, Artifact]
) -> list[OtherModel]:
    return [
        OtherModel(part, artifacts[model], pushed_models.made_of(store, model))
        for step in steps
        for key, part in _OTHER_MODELS.items()
        for model in step.inputs.get(key, ())
    ]


def _reused_by(store: mlmd.MetadataStore, model: Artifact) -> list[str]:
    cached = metadata_store_pb2.Execution.CACHED
    runs = [
        records.contexts_of(store, e.id)[constants.PIPELINE_RUN_CONTEXT_TYPE_NAME].name
        for e in _outputs_of(store, [model.id])
        if e.last_known_state == cached
    ]
    return sorted(runs)


def _configuration(store: mlmd.MetadataStore, push: Step) -> dict[str, Any] | None:
    context = store.get_context_by_type_and_name(constants.PIPELINE_RUN_CONTEXT_TYPE_NAME, push.run)
    recorded = records.plain(context.custom_properties).get(CONFIGURATION_KEY)
    return None if recorded is None else json.loads(recorded)
