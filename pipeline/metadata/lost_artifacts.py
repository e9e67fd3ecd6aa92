"""Artifacts of earlier runs whose files are gone, and files of such as were never finished.

TFX reuses an artifact as long as its folder exists, whatever is left in it. What an
execution that was killed had written it leaves, and gives the next one other folders.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from pipeline import file_list
from pipeline.uris import is_uri
from schema import atomic_write

# Of artifacts that no execution has finished, or that are none any more.
_UNMADE = (
    metadata_store_pb2.Artifact.PENDING,
    metadata_store_pb2.Artifact.ABANDONED,
    metadata_store_pb2.Artifact.DELETED,
)


def forget(connection: metadata_store_pb2.ConnectionConfig, root: str) -> list[str]:
    """Mark as deleted what lost files, and remove what is left of it.

    Args:
      connection: to the metadata store.
      root: of the artifacts that are looked at; of a URI none are, since each
        question takes its time there.

    Returns:
      One sentence an artifact.
    """
    if is_uri(root):
        return []
    told, gone = [], []
    with metadata.Metadata(connection) as handle:
        for artifact in _live(handle.store.get_artifacts(), root):
            sentence = _loss(artifact.uri)
            if sentence is not None:
                told.append(f"{artifact.uri} {sentence}")
                atomic_write.remove_folder(artifact.uri)
                artifact.state = metadata_store_pb2.Artifact.DELETED
                gone.append(artifact)
        if gone:
            handle.store.put_artifacts(gone)
    return told


def sweep(connection: metadata_store_pb2.ConnectionConfig, root: str) -> None:
    """Remove what killed executions left; no other run may be at work.

    Args:
      connection: to the metadata store that records all that lies there.
      root: of the artifacts; of a URI nothing is removed, see `forget`.
    """
    if is_uri(root):
        return
    with metadata.Metadata(connection) as handle:
        recorded = handle.store.get_artifacts()
    made = {artifact.uri for artifact in recorded if artifact.state not in _UNMADE}
    # By component, output and execution.
    for folder in pathlib.Path(root).glob("*/*/*"):
        if folder.name.isdigit() and folder.is_dir() and str(folder) not in made:
            atomic_write.remove_folder(str(folder))
            file_list.beside(folder).unlink(missing_ok=True)


def _live(
    artifacts: list[metadata_store_pb2.Artifact], root: str
) -> Iterator[metadata_store_pb2.Artifact]:
    # An artifact that was reused is recorded once.
    for artifact in artifacts:
        live = artifact.state == metadata_store_pb2.Artifact.LIVE
        if live and artifact.uri.startswith(f"{root.rstrip('/')}/"):
            yield artifact


def _loss(uri: str) -> str | None:
    """Say what an artifact lost; None of a whole one, and of one made before there were lists."""
    folder = pathlib.Path(uri)
    if not folder.exists():
        return "is gone"
    lost = file_list.lost(folder, file_list.beside(folder))
    if not lost:
        return None
    others = f" and {len(lost) - 1} more files" if len(lost) > 1 else ""
    return f"lost {lost[0]}{others}"
