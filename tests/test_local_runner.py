"""Mistakes as a user makes them: exit code 2, one sentence, no traceback."""

import errno
import os
import pathlib
import socket
import subprocess
import sys
import time

import filelock
import pytest
import yaml

import local_runner
from components import served_folder
from pipeline.cli import exits
from pipeline.cli.output_folder import Workspace
from pipeline.config import presets
from pipeline.config import run as configuration
from tests.support import synthetic

HERE = pathlib.Path(__file__).parent
ROOT = pathlib.Path(__file__).resolve().parents[1]
SYNTHETIC = "synthetic:users=5,items=9,interactions="


def _run(cwd, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "local_runner.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200"},
    )


def _mistake(result):
    assert result.returncode == 2
    assert "Traceback" not in result.stdout + result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    return lines[0]


def _in_process(capsys, monkeypatch, cwd, *arguments):
    monkeypatch.chdir(cwd)
    monkeypatch.setattr(sys, "argv", ["local_runner.py"])
    code = local_runner.main(list(arguments))
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    (line,) = said.err.splitlines()
    return line


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("PRESET", "CONFIG"):
        monkeypatch.delenv(f"MOVIELENS_{name}", raising=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "ml-1m-neumff"], "--preset: expected one of ml-100k-neumf"),
        (["--config", "none.yaml"], "none.yaml: cannot read the configuration"),
        (["--preset", "x", "--config", "y"], "argument --config: not allowed with argument"),
        (["--epochs", "3"], "unrecognized arguments: --epochs 3"),
        (["--force-bless", " "], "--force-bless: expected a reason, got an empty text."),
        (["--set", "trainer.epochs"], "--set: expected KEY=VALUE"),
        (["--set", "trainer.epoch=1"], "Unknown key 'trainer.epoch'; did you mean"),
        (["--set", "trainer.learning_rate=-1"], "trainer.learning_rate: expected > 0, got -1"),
        (["--tune", "many"], "argument --tune: invalid int value: 'many'"),
        (["--tune", "-1"], "tune.trials: expected 0 or more, got -1"),
        (["--tune", "3", "--model", "popularity"], "popularity has nothing to search by default"),
        (["--tune", "3", "--set", "tune.space.lr=[1, 2]"], "tune.space: Unknown key 'lr'"),
        (["--model", "neumff"], "trainer.model: expected one of gmf, mlp, neumf, "),
        (["--format", "ml-1k"], "data.format: expected one of auto, ml-100k"),
        (["--data", "nowhere"], "data.path: expected a folder with raw files, or a file, got 'now"),
        (
            ["--data", __file__],
            f"a table that ends in .csv, .tsv, .csv.gz, .tsv.gz, .parquet, got {__file__!r}.",
        ),
        (["--set", "data.columns.user=buyer"], "data.columns: expected with a table of one's own"),
        (["--set", "data.columns.usr=buyer"], "Unknown key 'data.columns.usr'; did you mean 'data"),
        (["--set", "data.columns.rating=3"], "data.columns.rating: expected text, got 3."),
        (["--data", "synthetic:users=5"], "data.path: synthetic: expected users, items, interact"),
        (["--data", f"{SYNTHETIC}9"], "data.path: synthetic: interactions: expected 15 to 45 with"),
        (
            ["--data", f"{SYNTHETIC}20", "--format", "ncf"],
            "data.format: expected auto or ml-1m with generated data, got 'ncf'",
        ),
        (["--metadata", "mysql://ml:pw@db/"], "--metadata: expected a DATABASE of letters, digits"),
        (["--beam-runner", "flnk"], "--beam-runner: expected one of direct, flink, spark"),
        (["--beam-option", "direct_num_worker=2"], "did you mean 'direct_num_workers'?"),
        (
            [
                "--beam-runner=flink",
                "--beam-option=job_endpoint=h:1",
                "--beam-option=sdk_container_image=i:1",
                "--output=out",
            ],
            "--output: expected a URI such as gs://bucket/folder, since Beam's workers do not see",
        ),
        (["--preset", "ncf-ml-1m-neumf"], "dataset: expected one of ml-100k"),
    ],
)
def test_a_mistake_is_answered_before_anything_is_made(
    arguments, message, capsys, monkeypatch, tmp_path
):
    line = _in_process(capsys, monkeypatch, tmp_path, *arguments)
    assert line.startswith("error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_mistakes_and_help_are_answered_at_once(tmp_path):
    started = time.monotonic()
    assert "--preset" in _mistake(_run(tmp_path, "--preset", "unheard-of"))
    assert _run(tmp_path, "--help").returncode == 0
    # Two processes; importing TensorFlow alone takes twice as long.
    assert time.monotonic() - started < 4


def test_the_configuration_can_be_printed_and_read_back(capsys, tmp_path):
    assert local_runner.main(["--set", "trainer.epochs=3", "--print-config"]) == 0
    printed = capsys.readouterr().out
    file = tmp_path / "run.yaml"
    file.write_text(printed)
    assert configuration.load(str(file)).trainer.epochs == 3
    assert yaml.safe_load(printed)["data"]["dataset"] == "ml-100k"


@pytest.mark.parametrize(
    ("variables", "arguments", "model"),
    [
        ({"PRESET": "ml-100k-two-tower"}, [], "two_tower"),
        ({"CONFIG": "run.yaml"}, [], "ease"),
        ({"CONFIG": "run.yaml"}, ["--preset", "ml-100k-two-tower"], "two_tower"),
        ({"PRESET": "ml-100k-two-tower"}, ["--config", "run.yaml"], "ease"),
        ({"PRESET": "", "CONFIG": ""}, [], "neumf"),
    ],
)
def test_variables_choose_what_no_argument_does(
    variables, arguments, model, capsys, monkeypatch, tmp_path
):
    """As TFX's command line needs it, which gives no arguments."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yaml").write_text("trainer: {model: ease}")
    for name, value in variables.items():
        monkeypatch.setenv(f"MOVIELENS_{name}", value)
    assert local_runner.main([*arguments, "--print-config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["trainer"]["model"] == model


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PRESET": "ml-1m-neumff"}, "MOVIELENS_PRESET: expected one of ml-100k-neumf, "),
        ({"CONFIG": "none.yaml"}, "none.yaml: cannot read the configuration"),
        (
            {"PRESET": "ml-1m-neumf", "CONFIG": "run.yaml"},
            "MOVIELENS_PRESET: expected one of it and MOVIELENS_CONFIG, got 'ml-1m-neumf' and ",
        ),
    ],
)
def test_a_mistake_in_a_variable_is_one_sentence(variables, message, capsys, monkeypatch, tmp_path):
    for name, value in variables.items():
        monkeypatch.setenv(f"MOVIELENS_{name}", value)
    assert _in_process(capsys, monkeypatch, tmp_path).startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_tune_sets_the_trials_of_what_the_other_arguments_configure(capsys):
    space = "tune.space={itemknn.neighbors: {low: 10, high: 50}}"
    arguments = ["--tune", "7", "--set", space, "--model", "itemknn"]
    assert local_runner.main([*arguments, "--print-config"]) == 0
    tune = yaml.safe_load(capsys.readouterr().out)["tune"]
    assert tune["trials"] == 7
    assert tune["space"]["itemknn.neighbors"]["high"] == 50
    assert local_runner.main(["--print-config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["tune"]["trials"] == 0


def test_presets_are_listed(capsys):
    assert local_runner.main(["--list-presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(presets.PRESETS)


def test_worker_processes_import_the_code_that_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", "/given")
    monkeypatch.setattr(sys, "argv", ["local_runner.py"])
    local_runner._set_environment()
    code = "import pipeline, sys; print(pipeline.__file__, '/given' in sys.path)"
    worker = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert worker.stdout.split() == [str(ROOT / "pipeline" / "__init__.py"), "True"]


@pytest.fixture
def data(tmp_path):
    synthetic.write(tmp_path / "data", "ml-100k", users=8, items=8)
    return tmp_path / "data"


def test_a_folder_that_another_run_holds_is_left_alone(capsys, monkeypatch, tmp_path, data):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").write_text("{}")
    with filelock.FileLock(tmp_path / "out" / ".lock"):
        line = _in_process(
            capsys, monkeypatch, tmp_path, "--data", str(data), "--output", str(tmp_path / "out")
        )
    assert "out: another run is at work in this folder." in line
    assert (tmp_path / "out" / "summary.json").exists()


def test_a_served_folder_takes_no_other_pipelines_models(capsys, monkeypatch, tmp_path, data):
    version = tmp_path / "out" / "serving" / "17"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_text("graph")
    served_folder.write_origin(str(version), "movielens-films")
    (tmp_path / "out" / "summary.json").write_text("{}")
    arguments = ["--data", str(data), "--output", str(tmp_path / "out")]
    line = _in_process(capsys, monkeypatch, tmp_path, *arguments)
    assert "out/serving: holds models of the pipeline movielens-films, expected those of" in line
    assert line.endswith(
        "movielens-data; name another folder with --output, or one for the "
        "pushed models alone with --serving."
    )
    # What the other run left is still there.
    assert (tmp_path / "out" / "summary.json").exists()
    assert not (tmp_path / "out" / "logs").exists()


def test_a_store_that_does_not_answer_is_told_before_anything_runs(tmp_path, data):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"mysql://ml:secret@127.0.0.1:{unused.getsockname()[1]}/films"
        line = _mistake(_run(tmp_path, "--data", str(data), "--output", "out", "--metadata", url))
    assert f"{url.replace(':secret', '')}: no server answers there (Connection refused)" in line
    assert not (tmp_path / "out" / "artifacts").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "file"], "file/logs: cannot write there (Not a directory)"),
        (["--output", "out", "--summary", "folder"], "folder: cannot write there (Is a directory)"),
        (["--output", "out", "--summary", "file/x"], "file: cannot write there (File exists)"),
        (["--output", "gs://"], "gs://: expected gs://bucket/folder."),
        (["--output", "swift://films/out"], "swift://films/out: TensorFlow knows no swift://"),
        (["--summary", "ram://films/x.json"], "ram://films: Beam knows no ram:// here"),
        (["--data", "swift://films/raw"], "swift://films/raw: TensorFlow knows no"),
        (["--config", "gs://films/x.yaml"], "gs://films/x.yaml: cannot read the configuration"),
    ],
)
def test_places_that_cannot_be_written_are_named(
    arguments, message, capsys, monkeypatch, tmp_path, data
):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    line = _in_process(capsys, monkeypatch, tmp_path, "--data", str(data), *arguments)
    assert message in line
    assert not (tmp_path / "output" / "swift").exists()


def test_a_full_disk_is_told_in_one_sentence(capfd, monkeypatch, tmp_path):
    def full(_):
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise RuntimeError("a worker failed") from error

    monkeypatch.chdir(tmp_path)
    workspace = Workspace.at("out", None)
    assert exits.with_log(workspace, full) == 1
    (line,) = capfd.readouterr().err.splitlines()
    expected = f"error: {tmp_path}/out: the disk is full; make room and start the same command"
    assert line.startswith(expected)


@pytest.mark.seconds
def test_a_tpu_that_is_not_there_is_told_before_anything_runs(tmp_path, data):
    arguments = ["--data", str(data), "--output", "out", "--set", "trainer.strategy=tpu"]
    line = _mistake(_run(tmp_path, *arguments))
    assert "trainer.strategy: expected a TPU with tpu, found none that answers" in line
    assert not (tmp_path / "out" / "artifacts").exists()


def test_a_folder_of_no_known_format_is_a_mistake(capsys, monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("nothing")
    line = _in_process(capsys, monkeypatch, tmp_path, "--data", "data", "--output", "out")
    assert "data: no known format, found notes.txt" in line


@pytest.mark.seconds
def test_a_fault_in_the_raw_data_is_told_with_file_and_line(tmp_path, data):
    ratings = (data / "u.data").read_text().splitlines()
    ratings[4] = "1\t2\tthree\t874724710"
    (data / "u.data").write_text("\n".join(ratings) + "\n")
    result = _run(tmp_path, "--data", str(data), "--output", "out")
    line = _mistake(result)
    assert "u.data, line 5" in line
    assert "three" in line
    assert not (tmp_path / "out" / "summary.json").exists()
    assert "Traceback" in next((tmp_path / "out" / "logs").iterdir()).read_text()
