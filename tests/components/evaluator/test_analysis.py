"""Ids in a table of ranks that a spreadsheet opens."""

import pyarrow as pa
import pytest

from components.evaluator.analysis import quoted


@pytest.mark.parametrize(
    "first", ["=", "+", "-", "@", "\t", "\r", "\n"], ids=["=", "+", "-", "@", "tab", "cr", "lf"]
)
def test_what_a_spreadsheet_would_compute_gets_an_apostrophe(first):
    ids = pa.chunked_array([[f"{first}1+1", "u1"], ["a=1", ""]])
    assert quoted(ids).to_pylist() == [f"'{first}1+1", "u1", "a=1", ""]


def test_no_ids_are_no_ids():
    assert quoted(pa.chunked_array([], pa.string())).to_pylist() == []
