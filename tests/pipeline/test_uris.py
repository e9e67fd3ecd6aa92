"""URIs that a user names, and the places of a run that has one as its output."""

import dataclasses
import json
import pathlib

import pytest
import tensorflow as tf
from tfx.dsl.io import fileio

from pipeline import uris
from pipeline.cli.output_folder import Workspace
from pipeline.reports import summary
from schema.errors import UserError


def test_only_what_has_a_scheme_is_a_uri():
    assert uris.is_uri("gs://bucket/run")
    assert not any(map(uris.is_uri, ("run", "/run", "C:/run", "a:b", "synthetic:users=5")))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gs://", "gs://: expected gs://bucket/folder."),
        ("swift://b/x", "swift://b/x: TensorFlow knows no swift:// here, expected one of file, "),
        ("ram://b/x", "ram://b/x: Beam knows no ram:// here, expected what both it and TensorFlow"),
    ],
)
def test_a_uri_that_a_library_cannot_reach_is_a_mistake(path, message):
    with pytest.raises(UserError) as raised:
        uris.check_known(path)
    assert str(raised.value).startswith(message)


def test_paths_of_this_machine_and_known_uris_are_fine():
    for path in ("run", "/no/such/folder", "gs://bucket/run"):
        uris.check_known(path)


def test_a_folder_that_cannot_be_made_is_a_mistake(monkeypatch):
    def refuse(path):
        raise tf.errors.PermissionDeniedError(None, None, f"no access\nto {path}")

    monkeypatch.setattr(tf.io.gfile, "makedirs", refuse)
    with pytest.raises(UserError) as raised:
        uris.check_writable("gs://b/x")
    assert str(raised.value) == ("gs://b/x: cannot write there (no access to gs://b/x).")


def test_a_run_with_a_uri_keeps_here_only_what_must_be_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace = Workspace.at("gs://bucket/films/run/", None)
    below = "gs://bucket/films/run"
    assert workspace.artifacts == f"{below}/artifacts"
    assert workspace.serving == f"{below}/serving"
    assert workspace.checkpoints == f"{below}/checkpoints"
    assert workspace.summary == f"{below}/summary.json"
    here = tmp_path / "output" / "gs" / "bucket" / "films" / "run"
    assert workspace.here == here
    assert workspace.database == str(here / "metadata.sqlite")
    assert workspace.log.parent == here / "logs"
    with workspace.locked():
        assert {path.name for path in here.iterdir()} == {".lock", "logs"}
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


def test_a_run_in_a_folder_has_everything_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace = Workspace.at("run", "here.json")
    assert workspace.output == str(workspace.here) == str(tmp_path / "run")
    assert workspace.summary == str(tmp_path / "here.json")
    assert workspace.database == str(tmp_path / "run" / "metadata.sqlite")
    assert workspace.serving == str(tmp_path / "run" / "serving")


def test_a_summary_behind_a_uri_is_gone_when_the_next_run_starts(tmp_path, monkeypatch):
    # Beam does not know this scheme, and has nothing to do with a summary.
    monkeypatch.setattr("pipeline.cli.output_folder.check_known", lambda path: None)
    written = "ram://storage/summaries/run.json"
    workspace = Workspace.at(str(tmp_path), written)
    workspace.reach()
    summary.write({"figure": float("nan")}, workspace.summary)
    with fileio.open(written) as file:
        assert json.loads(file.read()) == {"figure": None}
    assert fileio.listdir("ram://storage/summaries") == ["run.json"]
    workspace.reach()
    assert not fileio.exists(written)


def test_a_summary_on_this_machine_is_removed_without_asking_anyone(tmp_path):
    workspace = Workspace.at(str(tmp_path), None)
    pathlib.Path(workspace.summary).write_text("{}")
    with workspace.locked():
        assert not pathlib.Path(workspace.summary).exists()
    # What does not lie behind a URI is not looked at.
    dataclasses.replace(workspace, output="/nowhere", summary="/nowhere/x").reach()
