"""What ML Metadata recorded of one pipeline run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import ml_metadata as mlmd
from google.protobuf import json_format, struct_pb2
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata

# What a resolver hands on is an internal output.
_OUTPUT_EVENTS = (
    metadata_store_pb2.Event.OUTPUT,
    metadata_store_pb2.Event.INTERNAL_OUTPUT,
)


@dataclasses.dataclass(frozen=True)
class Output:
    """Describe an artifact that a component produced, or took from the cache.

    Attributes:
      uri: its folder.
      properties: its custom properties by name.
    """

    uri: str
    properties: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class ComponentRun:
    """Describe one component in one run.

    Attributes:
      name: the node's id in the pipeline.
      state: "complete", "cached", "failed" and so on, as ML Metadata calls it.
      seconds: wall time.
      outputs: by output key.
    """

    name: str
    state: str
    seconds: float
    outputs: dict[str, list[Output]]

    @property
    def cached(self) -> bool:
        """Tell whether an earlier run's outputs were reused."""
        return self.state == "cached"


def read_run(
    connection: metadata_store_pb2.ConnectionConfig, run_id: str
) -> dict[str, ComponentRun]:
    """Read a run from a metadata store.

    Args:
      connection: to the store.
      run_id: the pipeline run's id.

    Returns:
      The run's components by node id, in the order in which they ran. Nodes
      that only resolve artifacts are among them.
    """
    with metadata.Metadata(connection) as handle:
        store = handle.store
        context = store.get_context_by_type_and_name(
            constants.PIPELINE_RUN_CONTEXT_TYPE_NAME, run_id
        )
        if context is None:
            return {}
        executions = sorted(store.get_executions_by_context(context.id), key=lambda e: e.id)
        runs = [_component_run(store, execution) for execution in executions]
    return {run.name: run for run in runs}


def _component_run(
    store: mlmd.MetadataStore, execution: metadata_store_pb2.Execution
) -> ComponentRun:
    events = [
        event
        for event in store.get_events_by_execution_ids([execution.id])
        if event.type in _OUTPUT_EVENTS
    ]
    artifacts = {a.id: a for a in store.get_artifacts_by_id([e.artifact_id for e in events])}
    outputs: dict[str, list[Output]] = {}
    for event in events:
        artifact = artifacts[event.artifact_id]
        output = Output(artifact.uri, plain(artifact.custom_properties))
        outputs.setdefault(event.path.steps[0].key, []).append(output)
    state = metadata_store_pb2.Execution.State.Name(execution.last_known_state)
    return ComponentRun(
        name=node_name(contexts_of(store, execution.id)),
        state=state.lower(),
        seconds=seconds(execution),
        outputs=outputs,
    )


def plain(properties: Mapping[str, metadata_store_pb2.Value]) -> dict[str, Any]:
    """Convert the properties of an artifact, an execution or a context for JSON.

    Args:
      properties: as ML Metadata has them.

    Returns:
      Numbers, texts, lists and dicts by name.
    """
    values = {name: getattr(value, value.WhichOneof("value")) for name, value in properties.items()}
    return {
        name: json_format.MessageToDict(value) if isinstance(value, struct_pb2.Struct) else value
        for name, value in values.items()
    }


def contexts_of(
    store: mlmd.MetadataStore, execution_id: int
) -> dict[str, metadata_store_pb2.Context]:
    """Find the node, the pipeline and the pipeline run of an execution.

    Args:
      store: where it is recorded.
      execution_id: of the execution.

    Returns:
      By TFX's name of the context's type.
    """
    return {context.type: context for context in store.get_contexts_by_execution(execution_id)}


def node_name(contexts: Mapping[str, metadata_store_pb2.Context]) -> str:
    """Return the node's id in the pipeline.

    Args:
      contexts: from `contexts_of`.

    Returns:
      Such as "Transform".
    """
    pipeline = contexts[constants.PIPELINE_CONTEXT_TYPE_NAME].name
    return contexts[constants.NODE_CONTEXT_TYPE_NAME].name.removeprefix(f"{pipeline}.")


def seconds(execution: metadata_store_pb2.Execution) -> float:
    """Compute the wall time of an execution.

    Args:
      execution: one that is over.

    Returns:
      Seconds.
    """
    return (execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000
