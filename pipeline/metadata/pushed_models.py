"""Pushed models in ML Metadata, found by what people call them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.types import standard_artifacts
from tfx.utils import path_constants

from pipeline.metadata import runs
from pipeline.uris import is_uri
from schema.errors import UserError

# Properties that TFX's Pusher gives a PushedModel.
PUSHED = "pushed"
DESTINATION = "pushed_destination"
VERSION = "pushed_version"


@dataclasses.dataclass(frozen=True)
class Artifact:
    """Describe an artifact that a component made.

    Attributes:
      id: in the metadata store.
      type: TFX's name of its type.
      uri: its folder.
      properties: its properties by name.
    """

    id: int
    type: str
    uri: str
    properties: dict[str, Any]


def find(store: mlmd.MetadataStore, model: str, label: str) -> Artifact:
    """Find the pushed model that a name stands for.

    Args:
      store: where it is recorded.
      model: a version's folder, a folder of versions (its newest), a version's
        number, or id or uri of a PushedModel or of the Model that was pushed.
      label: what to call the store.

    Returns:
      The PushedModel; the newest where several fit.

    Raises:
      UserError: no pushed model is recorded under that.
    """
    pushed = models(store)
    path = model.rstrip("/") if is_uri(model) else os.path.abspath(model)
    path = path.removesuffix(f"/{path_constants.SERVING_MODEL_DIR}")
    ways: tuple[Callable[[Artifact], bool], ...] = (
        lambda one: path == one.properties[DESTINATION],
        lambda one: path == os.path.dirname(one.properties[DESTINATION]),
        lambda one: model == one.properties[VERSION],
        lambda one: model == str(one.id) or path == one.uri,
    )
    for fits in ways:
        if found := [one for one in pushed if fits(one)]:
            return found[-1]
    for trained in _of_type(store, standard_artifacts.Model):
        if model == str(trained.id) or path == trained.uri:
            if one := made_of(store, trained.id):
                return one
            raise UserError(f"{model}: {label} knows this model, but it was never pushed.")
    if not pushed:
        raise UserError(f"{model}: {label} knows of no pushed model.")
    newest = pushed[-1].properties[DESTINATION]
    raise UserError(f"{model}: {label} knows no such pushed model; its newest is {newest}.")


def models(store: mlmd.MetadataStore) -> list[Artifact]:
    """List all pushed models.

    Args:
      store: where they are recorded.

    Returns:
      PushedModel artifacts, the newest last; those that the gate kept back are
      left out.
    """
    found = _of_type(store, standard_artifacts.PushedModel)
    return sorted((one for one in found if one.properties.get(PUSHED)), key=lambda one: one.id)


def made_of(store: mlmd.MetadataStore, model_id: int) -> Artifact | None:
    """Find the newest push of a trained model.

    Args:
      store: where it is recorded.
      model_id: of the Model artifact.

    Returns:
      A PushedModel; None when the model was never pushed.
    """
    events = store.get_events_by_artifact_ids([model_id])
    readers = [e.execution_id for e in events if e.type == metadata_store_pb2.Event.INPUT]
    written = store.get_events_by_execution_ids(readers) if readers else []
    made = {e.artifact_id for e in written if e.type == metadata_store_pb2.Event.OUTPUT}
    found = [one for one in models(store) if one.id in made]
    return found[-1] if found else None


def describe(artifact: metadata_store_pb2.Artifact) -> Artifact:
    """Read an artifact from ML Metadata.

    Args:
      artifact: from the store.

    Returns:
      The same, in plain types.
    """
    properties = {**artifact.properties, **artifact.custom_properties}
    return Artifact(artifact.id, artifact.type, artifact.uri, runs.plain(properties))


def _of_type(store: mlmd.MetadataStore, kind: type[types.Artifact]) -> list[Artifact]:
    return [describe(a) for a in store.get_artifacts_by_type(kind.TYPE_NAME)]
