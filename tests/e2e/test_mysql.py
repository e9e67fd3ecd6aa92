"""Whole runs with their metadata in MariaDB: pushed, reused in part, warm, and traced back."""

import json
import os
import pathlib
import sys

import pytest

from pipeline.cli import lineage
from tests.support import forks, mariadb, synthetic

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASSWORD = "s3cret@word"
SETTINGS = (
    *("trainer.model=mf", "trainer.epochs=1", "trainer.refit=false"),
    "trainer.jit_compile=false",
    *("evaluation.slices=[]", "evaluation.metrics=[hr, ndcg]"),
    *("gate.must_beat_popularity=false", "gate.max_drop=null"),
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(mariadb.SERVER is None, reason=mariadb.MISSING),
]


def _run(folder, url, *arguments, password=None):
    command = [sys.executable, str(ROOT / "local_runner.py"), f"--metadata={url}"]
    command += [f"--data={folder / 'data'}", f"--output={folder / 'out'}", *arguments]
    command += [part for setting in SETTINGS for part in ("--set", setting)]
    environment = {name: value for name, value in os.environ.items() if name != "MYSQL_PWD"}
    if password is not None:
        environment["MYSQL_PWD"] = password
    result = forks.run(command, ROOT, environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert PASSWORD not in result.stdout + result.stderr
    return json.loads((folder / "out" / "summary.json").read_text())


def _lineage(capfd, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["movielens-lineage"])
    capfd.readouterr()
    assert lineage.main([*arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def _ran(summary):
    return {c["name"] for c in summary["components"] if not c["cached"]}


def test_runs_share_a_mysql_store_and_models_are_traced_in_it(tmp_path, capfd, monkeypatch):
    synthetic.write(tmp_path / "data", "ml-100k", users=60, items=40)
    account = f"CREATE USER 'ml'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'"
    with mariadb.running(tmp_path, account, "GRANT ALL ON films.* TO 'ml'@'127.0.0.1'") as port:
        url = f"mysql://ml:s3cret%40word@127.0.0.1:{port}/films"
        bare = f"mysql://ml@127.0.0.1:{port}/films"
        first = _run(tmp_path, url)
        assert first["run"]["metadata"] == bare
        assert not (tmp_path / "out" / "metadata.sqlite").exists()
        # The account's password is now in the environment; what can be reused is.
        second = _run(tmp_path, bare, "--set", "trainer.warm_start=true", password=PASSWORD)
        assert _ran(second) == {"RecommenderTrainer", "Evaluator", "Pusher"}
        told = _lineage(capfd, monkeypatch, second["pushed_model"], "--metadata", url)
        old = _lineage(capfd, monkeypatch, first["pushed_model"], "--metadata", url)
        newest = _lineage(capfd, monkeypatch, "--output", str(tmp_path / "out"), "--metadata", url)
    assert newest == told
    assert told["metadata"] == bare
    assert told["configuration"] == second["configuration"]
    assert told["metrics"] == second["metrics"]
    assert told["gate"] == second["gate"]
    assert told["model"]["run"] == second["run"]["id"]
    cached = {step["component"]: step["cached"] for step in told["steps"]}
    assert cached == {
        **dict.fromkeys(("RecommenderTrainer", "Evaluator", "Pusher"), False),
        **dict.fromkeys(("InteractionsExampleGen", "CatalogExampleGen"), True),
        **dict.fromkeys(("InteractionsSchema", "Transform"), True),
    }
    assert {other["pushed_model"] for other in told["other_models"]} == {first["pushed_model"]}
    assert len(told["other_models"]) == 2
    assert old["model"]["run"] == first["run"]["id"]
    assert old["configuration"] == first["configuration"]
    assert old["other_models"] == []
    for file in (tmp_path / "out").rglob("*"):
        text = file.read_bytes() if file.is_file() else b""
        assert PASSWORD.encode() not in text, file
        assert b"s3cret%40word" not in text, file
