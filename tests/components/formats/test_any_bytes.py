"""Whatever bytes a raw file has: all its rows are read, or one sentence refuses it."""

import csv
import gzip
import io
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components import formats
from components.columns import TableConfig
from components.example_gen.io import reading
from components.formats import base
from tests.support import fuzz, synthetic

pytestmark = pytest.mark.fuzz

# A folder is written once and one of its files again and again.
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
DELIMITERS = {"ml-1m": b"::", "ml-csv": b",", "table": b","}
OWN = b'user,note,item,rating,time\r\nu1,,7,3.5,1717180200\n" \xc3\xbc",",",i 2,4,2024-05-31\n'
OTHERS = {
    "semicolons.csv": b"ts;user id;Item\n5;a;b\n\n6.5;a;c\n1970-01-01T00:00:07+01:00;b;b",
    "tabs.tsv": b"customer\tsku\n1\t2\n1\t3\n",
}
ITEMS = b'item;title;genre\ni 2;"A; B (1999)";Drama|Comedy\n7;;\n'


def _read(name, folder, role, range_bytes, **table):
    """Rows of a role, as the example generators read them."""
    layout = formats.get(name, TableConfig(**table))
    layout.check_beginnings(str(folder))
    ranges = reading.plan(layout, str(folder), [role], range_bytes)
    tables = [table for part in ranges for table in reading.parse(layout, part, range_bytes)]
    return pa.concat_tables(tables).to_pylist() if tables else []


def _lines(data, headed):
    """The lines of a text that hold something, after the header."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")[headed:]
    return [line for line in lines if line.removesuffix(b"\r")]


def _check(name, folder, role, data, **table):
    """A file is refused however it is cut, or all its lines are rows however it is cut."""
    rows, sentence = fuzz.refused(lambda: _read(name, folder, role, 1 << 20, **table))
    again, refusal = fuzz.refused(lambda: _read(name, folder, role, 40, **table))
    assert (rows, sentence is None) == (again, refusal is None), (sentence, refusal)
    if rows is not None:
        lines = _lines(data, formats.FORMATS[name].headed)
        assert len(rows) == len(lines)
        if role in (base.INTERACTIONS, base.HELD_OUT):
            _check_ids(name, data, lines, rows)
    return rows


def _check_ids(name, data, lines, rows):
    """The ids are what Python's csv reads there."""
    delimiter = DELIMITERS.get(name, b"\t")
    header = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")[0].decode("utf-8", "replace")
    if name == "table":
        return
    at = (0, 1)
    if formats.FORMATS[name].headed:
        names = [it.strip().partition(":")[0] for it in _fields(name, header, delimiter.decode())]
        wanted = ("userId", "movieId") if name == "ml-csv" else ("user_id", "item_id")
        at = tuple(names.index(it) for it in wanted)
    for line, row in zip(lines, rows, strict=True):
        fields = _fields(name, line.removesuffix(b"\r").decode(), delimiter.decode())
        assert (row["user_id"], row["item_id"]) == (fields[at[0]], fields[at[1]])


def _fields(name, line, delimiter):
    if name == "ml-csv":
        return next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter))
    return line.split(delimiter)


def _roles():
    return [(name, role) for name in synthetic.LAYOUTS for role in formats.FORMATS[name].files]


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """Function (layout) -> a folder of it."""
    written = {}

    def folder(name):
        if name not in written:
            written[name] = tmp_path_factory.mktemp(name)
            synthetic.write(written[name], name, users=3, items=8)
        return written[name]

    return folder


@pytest.mark.parametrize(("name", "role"), _roles())
def test_a_file_of_a_layout_is_read_whole_or_refused(valid, name, role):
    folder = valid(name)
    (path,) = formats.get(name).locate(str(folder))[role]
    file = pathlib.Path(path)
    content = file.read_bytes()

    @given(fuzz.files(content))
    def run(data):
        file.write_bytes(data)
        _check(name, folder, role, data)

    try:
        run()
    finally:
        file.write_bytes(content)


@pytest.mark.parametrize("file", ["own.csv", *OTHERS])
@one_folder
@given(st.data())
def test_a_table_of_ones_own_is_read_whole_or_refused(tmp_path, file, data):
    content = data.draw(fuzz.files({"own.csv": OWN, **OTHERS}[file]))
    (tmp_path / file).write_bytes(content)
    rows = _check("table", tmp_path, base.INTERACTIONS, content)
    (tmp_path / "packed").mkdir(exist_ok=True)
    (tmp_path / "packed" / f"{file}.gz").write_bytes(gzip.compress(content, 1))
    assert _check("table", tmp_path / "packed", base.INTERACTIONS, content) == rows


@one_folder
@given(fuzz.files(gzip.compress(OWN)))
def test_a_damaged_gzip_is_read_whole_or_refused(tmp_path, content):
    (tmp_path / "own.csv.gz").write_bytes(content)
    rows, _ = fuzz.refused(lambda: _read("table", tmp_path, base.INTERACTIONS, 40))
    if rows is not None:
        assert len(rows) == len(_lines(gzip.decompress(content), True))


@one_folder
@given(fuzz.files(ITEMS))
def test_items_beside_a_table_are_read_whole_or_refused(tmp_path, content):
    (tmp_path / "own.csv").write_bytes(OWN)
    (tmp_path / "items.csv").write_bytes(content)
    _check("table", tmp_path, base.ITEMS, content)


_TEXT = st.text(max_size=5) | st.sampled_from(
    ["7", "2024-05-31", "5\n", "1e400", "\0", " ", "x" * 5000]
)
_INTEGER = st.integers(-(2**63), 2**63 - 1)
_TYPES = {
    pa.string(): _TEXT,
    pa.large_string(): _TEXT,
    pa.binary(): st.binary(max_size=5),
    pa.binary(2): st.binary(min_size=2, max_size=2),
    pa.int64(): _INTEGER,
    pa.int8(): st.integers(-128, 127),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.float16(): st.floats(width=16).map(np.float16),
    pa.bool_(): st.booleans(),
    pa.decimal128(38, 2): st.decimals(-(10**30), 10**30, places=2),
    pa.date32(): st.dates(),
    pa.timestamp("s"): st.datetimes(),
    pa.timestamp("ms", "Europe/Berlin"): st.integers(-(2**50), 2**50),
    pa.timestamp("ns"): _INTEGER,
    pa.time64("us"): st.times(),
    pa.duration("s"): st.integers(-(10**6), 10**6),
    pa.list_(pa.int64()): st.lists(_INTEGER, max_size=2),
    pa.struct([("id", pa.int64())]): st.fixed_dictionaries({"id": _INTEGER}),
    pa.map_(pa.string(), pa.int64()): st.lists(
        st.tuples(st.text(max_size=2), _INTEGER), max_size=2
    ),
    pa.dictionary(pa.int32(), pa.string()): _TEXT,
    pa.null(): st.none(),
}
_UNCHECKED = st.booleans()
_NAMES = st.sampled_from(["user", "item", "rating", "time", "note", "user.id", "", "é", "item_id"])


@st.composite
def _parquet(draw):
    """Draws a table of any types, with columns that are found more often than not."""
    rows = draw(st.integers(0, 4))
    usual = ["user", "item", *draw(st.lists(_NAMES, max_size=3))]
    names = (
        draw(st.permutations(usual)) if draw(st.booleans()) else draw(st.lists(_NAMES, max_size=4))
    )
    columns = []
    for _ in names:
        kind = draw(st.sampled_from(list(_TYPES)))
        value = _TYPES[kind] | st.none() if draw(st.booleans()) else _TYPES[kind]
        values = draw(st.lists(value, min_size=rows, max_size=rows))
        column = pa.array(values, kind)
        # Nobody checks what other programs write as text.
        columns.append(
            column.view(pa.string()) if draw(_UNCHECKED) and kind == pa.binary() else column
        )
    return rows, names, columns


@one_folder
@given(_parquet(), st.integers(1, 4))
def test_parquet_of_any_types_is_read_whole_or_refused(tmp_path, drawn, group):
    rows, names, columns = drawn
    try:
        pq.write_table(
            pa.table(columns, names=names), tmp_path / "own.parquet", row_group_size=group
        )
    except (pa.ArrowException, ValueError):
        return
    found, _ = fuzz.refused(lambda: _read("table", tmp_path, base.INTERACTIONS, 24))
    assert found is None or len(found) == rows


def _valid_parquet():
    columns = {"user": ["a", "é"], "item": [1, 2], "rating": [3.5, 4], "time": ["5", "2024-05-31"]}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="none", use_dictionary=False)
    return sink.getvalue()


@one_folder
@given(fuzz.files(_valid_parquet()))
def test_damaged_parquet_is_read_or_refused(tmp_path, content):
    (tmp_path / "own.parquet").write_bytes(content)
    fuzz.refused(lambda: _read("table", tmp_path, base.INTERACTIONS, 24))
