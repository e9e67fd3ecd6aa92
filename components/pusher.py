"""Executor of the Pusher that publishes a model whole or not at all.

A model server that watches the folder never loads half a version; see
schema.atomic_write. One process at a time writes there; see schema.lease.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils

from components import served_folder
from schema import atomic_write, lease

# Key of the custom config: the pipeline whose models the folder is for.
PIPELINE_KEY = "pipeline"
# Seconds that a push waits for another one to the same folder.
PATIENCE = 600.0


class Executor(executor.Executor):
    """Copy a blessed model to the served folder."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Push the model when it is blessed.

        Args:
          input_dict: `model` and `model_blessing`, as for the stock executor.
          output_dict: `pushed_model`, which keeps a copy; its custom properties
            say whether, where and as which version the model was pushed.
          exec_properties: `push_destination`, JSON of a PushDestination with a
            file system's base directory; `custom_config`, JSON with the pipeline's
            name under PIPELINE_KEY, by which the folder tells its own models.

        Raises:
          UserError: the folder holds another pipeline's models, or another catalog's, or
            another push there does not end.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(
            exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination
        )
        model, base = self.GetModelPath(input_dict), destination.filesystem.base_directory
        custom_config = json.loads(
            exec_properties.get(standard_component_specs.CUSTOM_CONFIG_KEY) or "{}"
        )
        pipeline = custom_config.get(PIPELINE_KEY)
        with _leased(base) as held:
            if pipeline is not None:
                served_folder.check_pipeline(base, pipeline)
                served_folder.check_catalog(base, model)
            io_utils.copy_dir(model, pushed.uri)
            if pipeline is not None:
                served_folder.write_origin(pushed.uri, pipeline)
            place = publish(pushed.uri, base, held)
        self._MarkPushed(pushed, pushed_destination=place, pushed_version=os.path.basename(place))


@contextlib.contextmanager
def _leased(base: str) -> Iterator[lease.Lease]:
    """Keep other pushes out of a served folder, which is made when missing."""
    fileio.makedirs(base)
    with lease.hold(os.path.join(base, served_folder.LEASE), PATIENCE) as held:
        yield held


def publish(model: str, base: str, held: lease.Lease) -> str:
    """Copy a SavedModel to a new version under `base`, whole or not at all.

    What is not whole there is of a push that was killed, and is removed.

    Args:
      model: folder of the SavedModel.
      base: the served folder.
      held: its lease.

    Returns:
      `<base>/<version>`, the version being the time in seconds, or one more
      than the newest version there when that is later.
    """
    names = [name.rstrip("/") for name in fileio.listdir(base)]
    for name in names:
        if name.startswith(atomic_write.UNFINISHED):
            begun = name.removeprefix(atomic_write.UNFINISHED)
            for left in (begun, name):
                atomic_write.remove_folder(os.path.join(base, left))
    version = max([int(time.time()), *(int(name) + 1 for name in names if name.isdigit())])
    place = os.path.join(base, str(version))
    atomic_write.copy_folder(model, place, held.check)
    return place


def restore(archive: str, place: str, removed_too: bool) -> bool:
    """Finish the copy of a version that was broken off.

    A push that is reused from the cache looks at the archived copy only; the served
    folder is the operator's, and what was removed there is not served again unasked.

    Args:
      archive: uri of the PushedModel artifact.
      place: the version's folder; left alone when it is whole.
      removed_too: whether a version that is not there is put there again.

    Returns:
      Whether the version is there.
    """
    if _is_settled(place, removed_too):
        return bool(fileio.exists(place))
    with _leased(os.path.dirname(place)) as held:
        # Whoever had the lease before may have done it.
        if not _is_settled(place, removed_too):
            atomic_write.remove_folder(place)
            atomic_write.copy_folder(archive, place, held.check)
    return bool(fileio.exists(place))


def _is_settled(place: str, removed_too: bool) -> bool:
    """Tell whether nothing is to be done about a version."""
    begun = fileio.exists(atomic_write.unfinished(place))
    return not begun and (fileio.exists(place) or not removed_too)
