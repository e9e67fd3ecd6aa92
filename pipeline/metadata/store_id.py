"""Which metadata store the artifacts of an output folder are recorded in.

Artifacts lie in folders numbered by the store's executions. Another store, such as
the one that a run from another working folder makes for the same bucket, begins
with 1 again and would write over them.
"""

from __future__ import annotations

import json
import os
import uuid

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from schema import atomic_write, conditional_file
from schema.errors import UserError

# Beside the artifacts: the id and the name of their store.
ID_FILE = ".metadata.json"
# In the store: the type of the one context that is named by its id.
_TYPE = "movielens.MetadataStore"


def claim(
    connection: metadata_store_pb2.ConnectionConfig, output: str, artifacts: str, label: str
) -> None:
    """Refuse a folder whose artifacts another store records; else note whose they are.

    Args:
      connection: to the store.
      output: the output folder, local or a URI; exists unless it is a URI.
      artifacts: the root of the artifacts in it.
      label: the store's name for people.

    Raises:
      UserError: the artifacts are another store's, or of none that is known.
    """
    with metadata.Metadata(connection) as handle:
        own, used = _id(handle.store), bool(handle.store.get_executions())
    path = os.path.join(output, ID_FILE)
    file = conditional_file.at(path)
    seen = file.read()
    if seen is None:
        _check_unrecorded(artifacts, used, output, label)
    while seen is None:
        # Of several stores that claim a folder at once one succeeds.
        seen = file.write(json.dumps({"id": own, "store": label}), None) or file.read()
        # What it says outlives a loss of power, as the artifacts do.
        atomic_write.sync(path)
        atomic_write.sync_name(path)
    recorded = json.loads(seen.text)
    if recorded["id"] != own:
        raise UserError(
            f"{output}: its artifacts are recorded in the metadata store "
            f"{recorded['store']}, expected {label}; {_remedy(output)}"
        )


def _check_unrecorded(artifacts: str, used: bool, output: str, label: str) -> None:
    files = atomic_write.files_of(artifacts)
    if not used and files.isdir(artifacts) and files.listdir(artifacts):
        raise UserError(
            f"{artifacts}: expected nothing there, or artifacts that the metadata store {label} "
            f"records, which is empty; {_remedy(output)}"
        )


def _remedy(output: str) -> str:
    return (
        "start the run where the earlier ones were started, name their store with --metadata, or "
        f"another folder than {output} with --output."
    )


def _id(store: mlmd.MetadataStore) -> str:
    """Return the store's id, which it is given when first asked."""
    for context in store.get_contexts_by_type(_TYPE):
        return str(context.name)
    kind = store.put_context_type(metadata_store_pb2.ContextType(name=_TYPE))
    own = uuid.uuid4().hex
    store.put_contexts([metadata_store_pb2.Context(type_id=kind, name=own)])
    return own
