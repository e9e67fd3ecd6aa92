"""Artifacts of earlier runs whose files are gone, so that they are made again.

TFX reuses an artifact as long as its folder exists, whatever is left in it.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from pipeline import file_list
from pipeline.uris import is_uri
from schema import atomic_write


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
