"""A folder's artifacts are recorded in one store, and no other writes over them."""

import json
import os
import pathlib

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.io import fileio

from pipeline.metadata import store_id
from schema import conditional_file
from schema.errors import UserError


@pytest.fixture
def connect(tmp_path):
    def connection(name):
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(tmp_path / name)
        config.sqlite.connection_mode = 3
        return config

    return connection


@pytest.fixture(autouse=True)
def _settled_at_once(monkeypatch):
    monkeypatch.setattr(conditional_file, "SETTLE_SECONDS", 0.0)


def _used(connection):
    store = mlmd.MetadataStore(connection)
    kind = store.put_execution_type(metadata_store_pb2.ExecutionType(name="Trainer"))
    store.put_executions([metadata_store_pb2.Execution(type_id=kind)])


def _output(kind, tmp_path, request):
    if kind == "local":
        (tmp_path / "out").mkdir()
        return str(tmp_path / "out")
    return f"ram://{pathlib.Path(request.node.name).name.replace('[', '-').replace(']', '')}/run"


def _claim(connection, output, label="here"):
    store_id.claim(connection, output, f"{output}/artifacts", label)


def _made(output):
    fileio.makedirs(f"{output}/artifacts/Trainer/model/1")
    with fileio.open(f"{output}/artifacts/Trainer/model/1/saved_model.pb", "w") as file:
        file.write("graph")


@pytest.mark.parametrize("kind", ["local", "uri"])
def test_of_two_stores_that_claim_a_folder_at_once_one_succeeds(
    kind, tmp_path, request, connect, monkeypatch
):
    output = _output(kind, tmp_path, request)
    looked = []

    def check(*arguments):
        # The other one comes between the look and the writing.
        if not looked:
            looked.append(arguments)
            _claim(connect("other"), output, "/work/other.sqlite")

    monkeypatch.setattr(store_id, "_check_unrecorded", check)
    with pytest.raises(UserError, match=r"metadata store /work/other\.sqlite"):
        _claim(connect("one"), output)
    assert looked


def test_what_a_folder_belongs_to_outlives_a_loss_of_power(tmp_path, connect, monkeypatch):
    synced, fsync = [], os.fsync

    def note(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(os, "fsync", note)
    _claim(connect("one"), str(tmp_path / "out"))
    assert synced == [f"{tmp_path}/out/{store_id.ID_FILE}", f"{tmp_path}/out"]


@pytest.mark.parametrize("kind", ["local", "uri"])
def test_the_store_of_the_first_run_is_the_one_that_goes_on(kind, tmp_path, request, connect):
    output = _output(kind, tmp_path, request)
    _claim(connect("one"), output, "/work/one.sqlite")
    _used(connect("one"))
    _made(output)
    _claim(connect("one"), output, "/work/one.sqlite")
    with pytest.raises(UserError) as raised:
        _claim(connect("two"), output, "/elsewhere/two.sqlite")
    assert str(raised.value).startswith(
        f"{output}: its artifacts are recorded in the metadata store /work/one.sqlite, expected "
        "/elsewhere/two.sqlite; start the run where the earlier ones were started"
    )
    with fileio.open(f"{output}/{store_id.ID_FILE}", "r") as file:
        assert json.loads(file.read())["store"] == "/work/one.sqlite"


@pytest.mark.parametrize("kind", ["local", "uri"])
def test_artifacts_of_before_belong_to_a_store_that_has_runs(kind, tmp_path, request, connect):
    output = _output(kind, tmp_path, request)
    _made(output)
    with pytest.raises(UserError, match=r"artifacts: expected nothing there, or artifacts that"):
        _claim(connect("empty"), output)
    assert not fileio.exists(f"{output}/{store_id.ID_FILE}")
    _used(connect("one"))
    _claim(connect("one"), output)
    _claim(connect("one"), output)


def test_one_store_may_record_several_folders(tmp_path, connect):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        _claim(connect("one"), str(tmp_path / name))
    ids = [json.loads((tmp_path / name / store_id.ID_FILE).read_text())["id"] for name in "ab"]
    assert ids[0] == ids[1]
