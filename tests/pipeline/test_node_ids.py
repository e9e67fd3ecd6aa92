"""Which edits make which node run again."""

import pathlib
import re

import pytest

from pipeline import node_ids

ROOT = pathlib.Path(__file__).resolve().parents[2]


def covered(node, file):
    return any(
        file == source or file.startswith(f"{source}/") for source in node_ids._SOURCES[node]
    )


@pytest.mark.parametrize("folder", ["components/evaluator", "components/metrics"])
def test_an_edit_of_the_evaluator_reruns_it_and_nothing_before_it(folder):
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")]
    assert files
    for file in files:
        assert [node for node in node_ids._SOURCES if covered(node, file)] == [node_ids.EVALUATOR]


def test_an_edit_of_what_the_evaluator_imports_of_the_trainer_reruns_it():
    for folder in ("components/evaluator", "components/metrics"):
        for path in (ROOT / folder).rglob("*.py"):
            for module in re.findall(r"^from (trainer\.\S+) import", path.read_text(), re.M):
                file = module.replace(".", "/")
                file = file if (ROOT / file).is_dir() else f"{file}.py"
                assert covered(node_ids.EVALUATOR, file), (path, module)
