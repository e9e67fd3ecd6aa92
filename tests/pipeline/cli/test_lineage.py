"""`movielens-lineage`: which store it asks, and what it says; tests/e2e has whole runs."""

import sys

import pytest

from pipeline.cli import lineage
from pipeline.metadata.store import SqliteStore
from pipeline.reports import lineage_text


def _mistake(capsys, monkeypatch, cwd, *arguments):
    monkeypatch.chdir(cwd)
    monkeypatch.setattr(sys, "argv", ["movielens-lineage"])
    assert lineage.main(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "output/ml-100k-neumf/metadata.sqlite: expected a metadata store, found no such file"),
        (["--output", "o"], "o/metadata.sqlite: expected a metadata store, found no such file"),
        (["7", "--output", "o"], "o/metadata.sqlite: expected a metadata store"),
        (["x/serving/7"], "x/serving/7: found no metadata store above it; name one with --meta"),
        (["--metadata", "m"], "m: expected a metadata store, found no such file"),
        (["--metadata", "mysql://ml:secret@db:x/f"], "a port from 1 to 65535"),
        (["a", "b"], "unrecognized arguments: b"),
    ],
)
def test_a_mistake_is_answered_and_nothing_is_made(
    arguments, message, capsys, monkeypatch, tmp_path
):
    assert message in _mistake(capsys, monkeypatch, tmp_path, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_the_store_above_the_model_is_asked(capfd, monkeypatch, tmp_path):
    SqliteStore(str(tmp_path / "out" / "metadata.sqlite")).check()
    capfd.readouterr()
    for model in ("out/serving/7", str(tmp_path / "out" / "serving")):
        line = _mistake(capfd, monkeypatch, tmp_path, model)
        assert f"{model}: {tmp_path}/out/metadata.sqlite knows of no pushed model." in line


def _report(**changed):
    figure = {"value": 0.25, "lower": 0.125, "upper": 0.5}
    metrics = {"hr@10_full": figure, "popularity_hr@10_full": figure, "hr_lift@10_full": figure}
    step = {
        "id": 5,
        "component": "RecommenderTuner",
        "started": "2026-11-22 12:00:00+00:00",
        "seconds": 2.0,
        "run": "run 1",
        "cached": True,
        "inputs": {"examples": [3]},
        "outputs": {"model": [4]},
    }
    return {
        "metadata": "m.sqlite",
        "model": {
            "pushed_model": "/serving/7",
            "artifact": 9,
            "uri": "/artifacts/9",
            "time": "2026-11-22 12:00:00+00:00",
            "run": "run 2",
            "pipeline": "films",
            "reused_by": ["run 3", "run 4"],
            "tfx": "1.16.0",
        },
        "training": None,
        "data": [],
        "code": [{"component": "Pusher", "digest": "0123456789abcdef", "same_here": False}],
        "metrics": [{"count": 8, "metrics": metrics, "baseline": {"hr@10_full": {"value": 0.75}}}],
        "gate": {
            "passed": False,
            "forced": "a demonstration",
            "reasons": ["It is worse."],
            "notes": [],
            "rules": [],
        },
        "other_models": [{"part": "It helped", "artifact": 2, "uri": "/m/2", "pushed_model": None}],
        "steps": [step],
        "artifacts": [{"id": 4, "uri": "/artifacts/4"}],
        "configuration": {"trainer": {"epochs": 3}},
        "tuned": {"learning_rate": 0.002},
        **changed,
    }


def test_a_report_tells_what_is_special_about_a_model():
    said = lineage_text.render(_report())
    assert "reused    by 2 later runs, the last run 4" in said
    assert "Pusher  0123456789ab  others here" in said
    assert "hr@10_full  0.2500  [0.1250, 0.5000]  0.2500        0.7500" in said
    assert "lift" not in said
    assert "blessed by force (a demonstration), although:\n    It is worse." in said
    assert "It helped: artifact 2 /m/2" in said
    assert "2.0 s, cached from run run 1\n    reads  examples 3\n    makes  model 4  /art" in said
    assert "what the Tuner found in place of what stands below: learning_rate 0.002" in said
    assert said.endswith("  trainer:\n    epochs: 3\n")


def test_a_report_says_what_is_gone():
    said = lineage_text.render(_report(metrics=None, gate=None, tuned=None, configuration=None))
    assert "what the Trainer told is no longer there" in said
    assert "metrics\n  the evaluation is no longer there\n" in said
    assert "gate\n" not in said
    assert "the Tuner found in place of some values; no longer there" in said
    assert "not recorded by the run" in said
