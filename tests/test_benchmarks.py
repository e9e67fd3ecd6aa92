"""The table of models: what it runs, what it does not run again, and its lines."""

import json
import subprocess

import pytest

from benchmarks import models
from pipeline.config import presets
from pipeline.config import run as configuration
from schema import settings

FIGURES = {"value": 0.25, "lower": 0.2, "upper": 0.3}
TRAINING = {"best_epoch": 3, "epochs": 5, "seconds": 10.0}


class Runner:
    """Stands in for local_runner.py: writes the summary that its arguments ask for."""

    def __init__(self, code=3):
        self.code = code
        self.asked = []

    def __call__(self, command, **_):
        given = [argument.split("=", 1) for argument in command[2:]]
        places = dict(given)
        self.asked.append(places["--summary"].rpartition("/")[2].removesuffix(".json"))
        assignments = [value for key, value in given if key == "--set"]
        config = configuration.override(presets.get(places["--preset"]), assignments)
        names = [
            f"{m}@{config.evaluation.k}_{p}" for m in ("hr", "ndcg") for p in ("full", "sampled")
        ]
        summary = {
            "configuration": settings.to_dict(config),
            "metrics": [{"metrics": dict.fromkeys(names, FIGURES)}],
            "training": {
                **TRAINING,
                "examples_per_second": 1234.5,
                "refit_seconds": 4.0,
                "pretraining": [TRAINING] if config.trainer.neumf.pretrain.gmf_epochs else [],
            },
        }
        with open(places["--summary"], "w", encoding="utf-8") as file:
            json.dump(summary, file)
        return subprocess.CompletedProcess(command, self.code)


@pytest.fixture
def runner(monkeypatch):
    runner = Runner()
    monkeypatch.setattr(models.subprocess, "run", runner)
    return runner


@pytest.fixture
def table(tmp_path, monkeypatch, capsys, runner):
    def make(*arguments, code=0):
        command = ["models.py", f"--data={tmp_path}", f"--output={tmp_path}", *arguments]
        monkeypatch.setattr(models.sys, "argv", command)
        assert models.main() == code
        lines = capsys.readouterr().out.splitlines()
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]

    return make


def test_every_variant_is_run_and_has_its_line(table, runner):
    rows = table()
    assert [row[0] for row in rows] == list(models.VARIANTS)
    assert runner.asked == [f"{name}-seed42" for name in models.VARIANTS]
    figures = ["0.2500 ±0.0500"] * 4
    assert rows[0][1:] == [*figures, "14", "1,234", "3/5"]
    (pretrained,) = (row for row in rows if row[0] == "neumf-pretrained")
    assert pretrained[1:] == [*figures, "24", "1,234", "3/5 + 3/5"]


def test_a_variant_is_run_once_unless_its_settings_change(table, runner):
    table("--filter", "ease", "gmf")
    assert len(table("--filter", "ease", "gmf")) == 2
    assert runner.asked == ["ease-seed42", "gmf-seed42"]
    table("--filter", "gmf", "--set", "trainer.epochs=1")
    assert runner.asked[2:] == ["gmf-seed42"]


def test_seeds_have_a_line_each_and_one_together(table, runner):
    rows = table("--filter", "*-bpr", "--seeds", "1", "2")
    name = "two-tower-bpr"
    assert [row[0] for row in rows] == [
        f"{name}, seed 1",
        f"{name}, seed 2",
        f"{name}, 2 seeds: mean ±sd",
    ]
    assert rows[2][1:6] == [*["0.2500 ±0.0000"] * 4, "14"]


def test_a_failure_does_not_keep_the_others_from_running(table, runner):
    runner.code = 1
    assert table("--filter", "mf", "i*", code=1) == []
    assert runner.asked == ["itemknn-seed42", "ials-seed42", "mf-seed42"]


def test_a_preset_that_is_named_has_a_line_on_its_own_data(tmp_path, monkeypatch, runner):
    command = ["models.py", f"--output={tmp_path}", "--filter", "ml-100k-neumf"]
    monkeypatch.setattr(models.sys, "argv", command)
    assert models.main() == 0
    assert runner.asked == ["ml-100k-neumf-seed42"]
    summary = json.loads((tmp_path / "ml-100k-neumf-seed42.json").read_text())
    assert summary["configuration"]["data"]["dataset"] == "ml-100k"
    expected = presets.get("ml-100k-neumf").trainer
    assert summary["configuration"]["trainer"] == settings.to_dict(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data=x", "--filter", "mf", "eas"], "got 'eas'; did you mean 'ease'?"),
        (["--data=x", "--set", "trainer.epoch=1"], "Unknown key 'trainer.epoch'"),
        ([], "--data: expected the folder of He et al.'s split, got none."),
    ],
)
def test_a_mistake_runs_nothing(monkeypatch, capsys, runner, arguments, message):
    monkeypatch.setattr(models.sys, "argv", ["models.py", *arguments])
    assert models.main() == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert runner.asked == []
