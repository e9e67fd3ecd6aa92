"""What a person sees of the Evaluator while it works."""

import json
import sys

from tfx.components.evaluator import executor as stock
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
    monkeypatch.setattr(executor.Executor, "_get_tmp_dir", lambda _: str(tmp_path))
    monkeypatch.setattr(executor, "_wrap_models", phase("WRAP", ({}, Baseline())))
    monkeypatch.setattr(stock.Executor, "Do", phase("MEASURE"))
    monkeypatch.setattr(executor, "run_gate", phase("GATE", {"blessed": False}))
    monkeypatch.setattr(executor, "_describe", phase("DESCRIBE"))
    executor.Executor().Do(
        {},
        {"evaluation": [evaluation], "blessing": [blessing]},
        {SETTINGS_KEY: json.dumps({EVALUATION_KEY: {}})},
    )
    assert [line.strip() for line in capsys.readouterr().err.splitlines()] == [
        "wrapping the models for the evaluation",
        "WRAP",
        "ranking and measuring, by protocol and slice",
        "MEASURE",
        "intervals and gate",
        "GATE",
        "DESCRIBE",
    ]
