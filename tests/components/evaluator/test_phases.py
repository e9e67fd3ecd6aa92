"""What a person sees of the Evaluator while it works."""

import contextlib
import json
import sys

from tfx.types import standard_artifacts

from components.evaluator import executor
from components.evaluator.gate.baseline import Baseline
from components.evaluator.keys import EVALUATION_KEY, SETTINGS_KEY


def test_each_phase_is_told_before_it_begins(monkeypatch, tmp_path, capsys):
    def phase(name, result=None):
        def run(*_):
            print(f"  {name}", file=sys.stderr)
            return result

        return run

    for name in ("evaluation", "blessing"):
        (tmp_path / name).mkdir()
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    evaluation.uri, blessing.uri = str(tmp_path / "evaluation"), str(tmp_path / "blessing")
    pipeline = contextlib.nullcontext()
    monkeypatch.setattr(executor.Executor, "_make_beam_pipeline", lambda _: pipeline)
    monkeypatch.setattr(executor, "_load_models", phase("LOAD", ([], Baseline())))
    monkeypatch.setattr(executor, "measure", phase("MEASURE"))
    monkeypatch.setattr(executor, "run_gate", phase("GATE", {"blessed": False}))
    monkeypatch.setattr(executor, "_describe", phase("DESCRIBE"))
    executor.Executor().Do(
        {"examples": []},
        {"evaluation": [evaluation], "blessing": [blessing]},
        {
            SETTINGS_KEY: json.dumps({EVALUATION_KEY: {}}),
            "eval_config": "{}",
            "example_splits": "[]",
        },
    )
    assert [line.strip() for line in capsys.readouterr().err.splitlines()] == [
        "loading the models for the evaluation",
        "LOAD",
        "ranking and measuring, by protocol and slice",
        "MEASURE",
        "intervals and gate",
        "GATE",
        "DESCRIBE",
    ]
