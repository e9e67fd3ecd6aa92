"""README's lines that ask a pushed model, run against a small one."""

import pathlib
import re

import numpy as np
import pytest

from tests.support.toy_model import make_serving
from trainer.serving.export import export

pytestmark = pytest.mark.seconds

README = pathlib.Path(__file__).resolve().parents[3] / "README.md"
# Users u0 and u1 with the histories {i0} and {i1, i2}, and seven items.
USER_CODES = np.asarray([[1.0, 0.0], [0.0, 1.0]])
ITEM_CODES = np.asarray([[9, 0], [8, 1], [7, 2], [6, 3], [5, 4], [4, 5], [3, 6]], float)
COUNTS = [10, 8, 6, 4, 3, 2, 1]
# README's ids, and those that stand here for them.
IDS = {"403": "u0", "50": "i1", "181": "i2", "313": "i0"}


@pytest.fixture(scope="module")
def code():
    section = README.read_text(encoding="utf-8").partition("### The pushed model")[2]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("pushed") / "1"
    export(make_serving(USER_CODES, ITEM_CODES, COUNTS, [[0], [1, 2]]), str(path))
    return path


def run(code, path, capsys):
    code, loads = re.subn(r'load\("[^"]*"\)', f'load("{path}")', code)
    assert loads == 1
    for told, own in IDS.items():
        assert f'"{told}"' in code
        code = code.replace(f'"{told}"', f'"{own}"')
    exec(compile(code, "README.md", "exec"), {})
    return capsys.readouterr().out.splitlines()


def test_the_lines_recommend_to_a_known_and_an_unknown_user(code, path, capsys):
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    assert run(code, path, capsys) == [
        # u0 saw i0; i1 and i2 are excluded.
        "i3 Title 3 6.0",
        "i4 Title 4 5.0",
        "i5 Title 5 4.0",
        "i6 Title 6 3.0",
        "  -inf",
        # Popularity without i0.
        *(f"i{item} Title {item} {np.float32(COUNTS[item] / 34)!s}" for item in range(1, 6)),
    ]
