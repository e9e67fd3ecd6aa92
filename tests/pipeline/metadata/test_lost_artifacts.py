"""Artifacts that lost files are told, forgotten and not reused."""

import pathlib

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2

from pipeline import file_list
from pipeline.metadata import lost_artifacts

LIVE, DELETED = metadata_store_pb2.Artifact.LIVE, metadata_store_pb2.Artifact.DELETED


@pytest.fixture
def root(tmp_path):
    return tmp_path / "artifacts"


@pytest.fixture
def connection(tmp_path):
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(tmp_path / "metadata.sqlite")
    config.sqlite.connection_mode = 3
    return config


@pytest.fixture
def record(connection, root):
    """Records an artifact with two files, and the list of them unless it is an old one."""
    store = mlmd.MetadataStore(connection)
    kind = store.put_artifact_type(metadata_store_pb2.ArtifactType(name="Model"))

    def make(name, state=LIVE, listed=True, at=None):
        folder = (at or root) / "Trainer" / "model" / name
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_text("graph")
        (folder / "variables" / "index").write_text("weights")
        if listed:
            file_list.write(folder, file_list.beside(folder))
        made = metadata_store_pb2.Artifact(type_id=kind, uri=str(folder), state=state)
        store.put_artifacts([made])
        return folder

    return make


def states(connection):
    found = mlmd.MetadataStore(connection).get_artifacts()
    return {pathlib.Path(artifact.uri).name: artifact.state for artifact in found}


def test_whole_artifacts_stay_as_they_are(connection, root, record):
    folder = record("1")
    (folder / "notes").write_text("came later")
    record("2", listed=False)
    assert lost_artifacts.forget(connection, str(root)) == []
    assert set(states(connection).values()) == {LIVE}
    assert (folder / "saved_model.pb").exists()


def test_what_lost_files_is_told_forgotten_and_cleared_away(connection, root, record):
    one, two, three, four = (record(name) for name in "1234")
    (one / "variables" / "index").unlink()
    (two / "saved_model.pb").write_text("gr")
    (two / "variables" / "index").unlink()
    for path in (three / "variables" / "index", three / "saved_model.pb"):
        path.unlink()
    for folder in (three / "variables", three):
        folder.rmdir()
    assert lost_artifacts.forget(connection, str(root)) == [
        f"{one} lost variables/index",
        f"{two} lost saved_model.pb and 1 more files",
        f"{three} is gone",
    ]
    assert states(connection) == {"1": DELETED, "2": DELETED, "3": DELETED, "4": LIVE}
    assert not one.exists()
    assert not two.exists()
    assert four.exists()
    assert lost_artifacts.forget(connection, str(root)) == []


def test_only_what_lies_below_the_root_is_looked_at(connection, root, record, tmp_path):
    other = record("1", at=tmp_path / "artifacts-of-others")
    (other / "saved_model.pb").unlink()
    deleted = record("2", state=DELETED)
    (deleted / "saved_model.pb").unlink()
    assert lost_artifacts.forget(connection, str(root)) == []
    assert lost_artifacts.forget(connection, "gs://bucket/artifacts") == []
    assert other.exists()


def test_what_killed_executions_left_is_swept_and_nothing_else(connection, root, record, tmp_path):
    made, pending = record("1"), record("2", state=metadata_store_pb2.Artifact.PENDING)
    trainer = root / "Trainer"
    left, system = trainer / "model" / "3", trainer / ".system" / "executions" / "4"
    named, other = trainer / "model" / "notes", tmp_path / "others" / "Trainer" / "5"
    for folder in (left, system, named, other):
        folder.mkdir(parents=True)
        (folder / "half").touch()
    file_list.write(left, file_list.beside(left))
    lost_artifacts.sweep(connection, str(root))
    assert not left.exists()
    assert not pending.exists()
    assert not file_list.beside(left).exists()
    assert all((folder / "half").exists() for folder in (system, named, other))
    assert lost_artifacts.forget(connection, str(root)) == []
    assert (made / "saved_model.pb").exists()
    lost_artifacts.sweep(connection, "gs://bucket/artifacts")
