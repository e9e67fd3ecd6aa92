import json

import pytest

from pipeline.reports import summary


def test_a_summary_is_json_even_where_a_figure_does_not_exist(tmp_path):
    path = tmp_path / "summary.json"
    summary.write({"a": [1, float("nan")], "b": {"c": float("inf")}, "d": (2.5,)}, str(path))
    assert json.loads(path.read_text()) == {"a": [1, None], "b": {"c": None}, "d": [2.5]}


def test_a_summary_that_cannot_be_written_leaves_the_old_one_and_no_scraps(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text("{}")
    with pytest.raises(TypeError):
        summary.write({"a": object()}, str(path))
    assert path.read_text() == "{}"
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]
