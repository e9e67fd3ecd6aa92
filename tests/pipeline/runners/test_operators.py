"""A component's output is on the disk, and its files written down, before it counts."""

import json
import types

import pytest
from tfx.orchestration.portable import launcher

from pipeline.runners import operators
from schema import atomic_write


@pytest.mark.parametrize("kind", list(launcher.DEFAULT_EXECUTOR_OPERATORS))
def test_what_a_component_wrote_is_kept_before_it_counts(kind, monkeypatch, tmp_path):
    done = []

    class Stock:
        def run_executor(self, execution_info, make_beam_pipeline_fn=None):
            for name in "abc":
                (tmp_path / name / "Split-train").mkdir(parents=True)
                (tmp_path / name / "Split-train" / "data.gz").write_text(name * 3)
            done.append("run")
            return "output"

    def noted(name, act):
        def wrapped(path):
            done.append((name, path))
            act(path)

        return wrapped

    artifacts = [types.SimpleNamespace(uri=str(tmp_path / name)) for name in "abc"]
    execution = types.SimpleNamespace(output_dict={"one": artifacts[:2], "other": artifacts[2:]})
    monkeypatch.setitem(launcher.DEFAULT_EXECUTOR_OPERATORS, kind, Stock)
    for name in ("sync", "sync_name"):
        monkeypatch.setattr(atomic_write, name, noted(name, getattr(atomic_write, name)))
    with operators.outputs_kept():
        operator = launcher.DEFAULT_EXECUTOR_OPERATORS[kind]()
        assert operator.run_executor(execution) == "output"
    assert done[0] == "run"
    for artifact in artifacts:
        assert done.index(("sync", artifact.uri)) < done.index(("sync_name", artifact.uri))
    assert json.loads((tmp_path / ".b.json").read_text()) == {"Split-train/data.gz": 3}
    assert launcher.DEFAULT_EXECUTOR_OPERATORS[kind] is Stock


def test_a_store_answers_for_what_it_took(monkeypatch):
    monkeypatch.setattr(atomic_write, "sync", lambda path: pytest.fail(path))
    operators._keep("gs://bucket/run/artifacts/Trainer/model/7")
