"""The default output folder: unlike runs do not meet in one."""

import multiprocessing
import os
import signal
import tempfile

import pytest

from pipeline.cli.output_folder import Workspace, default_output
from pipeline.config import presets
from pipeline.config.run import override
from schema.errors import UserError


@pytest.mark.parametrize(
    ("preset", "assignments", "output"),
    [
        ("ml-100k-neumf", [], "output/ml-100k-neumf"),
        ("ml-100k-neumf", ["trainer.epochs=3"], "output/ml-100k-neumf"),
        ("ml-1m-two-tower", ["data.path=/raw/ml-1m"], "output/ml-1m-two-tower"),
        ("ml-100k-neumf", ["data.path=/my/films"], "output/films-neumf-ml-100k-neumf"),
        ("ml-1m-neumf", ["data.path=/my/films"], "output/films-neumf-ml-1m-neumf"),
        (
            "ml-100k-neumf",
            ["trainer.model=two_tower"],
            "output/ml-100k-two-tower-ml-100k-neumf",
        ),
        (
            "ml-100k-neumf",
            ["data.path='synthetic:users=2000,items=500,interactions=60000'"],
            "output/synthetic-2000-500-60000-fff27a63-neumf-ml-100k-neumf",
        ),
    ],
)
def test_the_default_names_data_model_and_preset(preset, assignments, output):
    base = presets.get(preset)
    assert default_output(preset, base, override(base, assignments)) == output


def test_models_may_be_pushed_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Workspace.at("run", None, "films").serving == str(tmp_path / "films")
    assert Workspace.at("run", None, "gs://films/x").serving == "gs://films/x"
    assert Workspace.at("run", None, "films").artifacts == str(tmp_path / "run" / "artifacts")


def _made(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")


def test_what_killed_runs_left_is_swept_under_the_lock(tmp_path):
    workspace = Workspace.at(str(tmp_path), None)
    system = "artifacts/Evaluator/.system/executor_execution/7"
    kept = ("artifacts/Evaluator/evaluation/7/gate.json", "serving/17/saved_model.pb", "notes.txt")
    _made(tmp_path, *kept, f"{system}/executor_output.pb")
    _made(tmp_path, ".unfinished-ab/examples/x", ".unfinished-summary.json")
    _made(tmp_path, f"{system}/.temp/wrapped-1/saved_model.pb")
    with workspace.locked():
        assert not list(tmp_path.glob(".unfinished-*"))
        assert not (tmp_path / system / ".temp").exists()
        assert (tmp_path / system / "executor_output.pb").exists()
        assert all((tmp_path / path).exists() for path in kept)


def test_another_run_at_work_sweeps_nothing(tmp_path):
    workspace = Workspace.at(str(tmp_path), None)
    with workspace.locked():
        _made(tmp_path, ".unfinished-ab/x")
        with pytest.raises(UserError, match="another run is at work"), workspace.locked():
            pass
        assert (tmp_path / ".unfinished-ab" / "x").exists()


def _be_killed(folder):
    with Workspace.at(folder, None).locked():
        tempfile.mkdtemp()
        os.kill(os.getpid(), signal.SIGKILL)


def test_temporary_files_of_a_killed_run_are_gone_after_the_next(tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    process = multiprocessing.Process(target=_be_killed, args=(str(tmp_path / "out"),))
    process.start()
    process.join()
    (left,) = temporary.iterdir()
    assert len(list(left.iterdir())) == 1
    assert left.stat().st_mode & 0o777 == 0o700
    with Workspace.at(str(tmp_path / "out"), None).locked():
        assert list(left.iterdir()) == []
        assert tempfile.mkdtemp().startswith(f"{left}/")
    assert list(temporary.iterdir()) == []
    assert tempfile.gettempdir() == str(temporary)


def test_what_somebody_else_left_in_the_place_of_temporary_files_is_not_followed(
    tmp_path, monkeypatch
):
    temporary, trap = tmp_path / "tmp", tmp_path / "trap"
    for folder in (temporary, trap):
        folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    workspace = Workspace.at(str(tmp_path / "out"), None)
    with workspace.locked():
        (place,) = temporary.iterdir()
    place.symlink_to(trap)
    _made(trap, "kept")
    with pytest.raises(UserError, match="expected none or one of this user"), workspace.locked():
        pass
    assert (trap / "kept").exists()
