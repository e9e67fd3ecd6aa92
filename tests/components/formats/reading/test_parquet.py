"""Columns of Parquet in every type that is taken, and the row of every fault."""

import datetime
import decimal
import pathlib
import pickle
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import formats
from components.formats import base
from components.formats.reading import parquet, schemas
from schema.errors import UserError

EVENING = datetime.datetime(2024, 5, 31, 18, 30, 0, 999999)
SECONDS = 1717180200
ROOT = pathlib.Path(__file__).resolve().parents[4]


def read(folder, row_group_size=None, **columns):
    table = pa.table({"user": ["a"], "item": ["b"], **columns})
    path = folder / "own.parquet"
    pq.write_table(table, path, row_group_size)
    layout = formats.get("table")
    layout.check_beginnings(str(folder))
    header = layout.read_header(base.INTERACTIONS, str(path))
    tables = list(layout.read_rows(str(path), header, 0, 10**9))
    assert all(it.schema == schemas.INTERACTIONS_SCHEMA for it in tables)
    return pa.concat_tables(tables).to_pylist()


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([7]),
        pa.array([7], pa.uint8()),
        pa.array(["7"]),
        pa.array([" 7 "], pa.large_string()),
        pa.array([b"7"]),
        pa.array(["7"]).dictionary_encode(),
    ],
    ids=lambda ids: str(ids.type),
)
def test_ids_become_text(tmp_path, ids):
    (row,) = read(tmp_path, item=ids)
    assert row == {"user_id": "a", "item_id": "7", "rating": 1.0, "timestamp": 0}


@pytest.mark.parametrize(
    "ratings",
    [
        pa.array([4.5]),
        pa.array([4.5], pa.float32()),
        pa.array([decimal.Decimal("4.50")]),
    ],
    ids=lambda ratings: str(ratings.type),
)
def test_ratings_are_numbers_of_any_kind(tmp_path, ratings):
    assert read(tmp_path, rating=ratings)[0]["rating"] == 4.5


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (pa.array([SECONDS]), SECONDS),
        (pa.array([SECONDS], pa.uint32()), SECONDS),
        (pa.array([SECONDS + 0.9]), SECONDS),
        (pa.array([SECONDS * 1000 + 999]), SECONDS),
        (pa.array([EVENING], pa.timestamp("us")), SECONDS),
        (pa.array([EVENING], pa.timestamp("us", tz="Europe/Berlin")), SECONDS),
        (pa.array([EVENING.date()]), SECONDS - 18 * 3600 - 1800),
        (pa.array(["2024-05-31T20:30:00+02:00"]), SECONDS),
        (pa.array([datetime.datetime(1969, 12, 31, 23, 59, 59, 500)], pa.timestamp("us")), -1),
    ],
    ids=lambda it: str(it.type) if isinstance(it, pa.Array) else "",
)
def test_times_of_any_type_become_seconds(tmp_path, times, seconds):
    assert read(tmp_path, timestamp=times)[0]["timestamp"] == seconds


def test_rows_come_in_order_group_by_group(tmp_path):
    items = [f"i{number}" for number in range(10)]
    rows = read(tmp_path, 3, user=["u"] * 10, item=items)
    assert [row["item_id"] for row in rows] == items
    assert [row["timestamp"] for row in rows] == list(range(10))
    path = str(tmp_path / "own.parquet")
    assert parquet.row_groups(path) == [3, 3, 3, 1]
    some = [part.batch.num_rows for part in parquet.read_rows(path, ["user", "item"], 1, 7)]
    # Those that begin with the rows 3 and 6.
    assert sum(some) == 6


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"user": ["a", None, None], "item": [1, 2, 3]}, ", row 2: user is null, expected an id."),
        ({"user": ["a", "b", " "], "item": [1, 2, 3]}, ", row 3: user is ' ', expected an id of 1"),
        (
            {"user": ["a", "x" * 5000], "item": [1, 2]},
            f", row 2: user is '{60 * 'x'}' and more, exp",
        ),
        ({"rating": [float("nan")]}, ", row 1: rating is 'nan', expected a finite number."),
        ({"rating": [1e99]}, ", row 1: rating is '1e+99', expected a finite number."),
        ({"rating": pa.array([None], pa.int8())}, ", row 1: rating is null, expected a number."),
        ({"rating": ["4"]}, ": column 'rating' has the type string, expected numbers."),
        ({"item": [1.0]}, ": column 'item' has the type double, expected text or whole numbers."),
        ({"item": [["a"]]}, ": column 'item' has the type list<"),
        ({"item": [b"\xff"]}, ": column 'item' cannot be read ('Invalid UTF8"),
        ({"timestamp": ["soon"]}, ", row 1: timestamp is 'soon', expected seconds since 1970 or"),
        ({"timestamp": [float("inf")]}, ", row 1: timestamp is 'inf', expected seconds since 1970"),
        ({"timestamp": [True]}, ": column 'timestamp' has the type bool, expected times, numbers"),
        (
            {"buyer": ["a"], "user": [[1]]},
            ": column 'user' has the type list<",
        ),
    ],
)
def test_a_fault_is_one_sentence_with_file_and_row(tmp_path, columns, words):
    with pytest.raises(UserError) as refused:
        read(tmp_path, 2, **columns)
    sentence = str(refused.value)
    assert sentence.startswith(f"{tmp_path / 'own.parquet'}{words}")
    assert "\n" not in sentence


@pytest.mark.parametrize("column", ["user", "time", "note"])
def test_text_that_is_not_utf8_is_refused_where_it_is_read(tmp_path, column):
    # As other programs write it; Arrow checks neither on the way in nor out.
    broken = pa.array([b"\xff"]).view(pa.string())
    if column == "note":
        assert len(read(tmp_path, note=broken)) == 1
        return
    with pytest.raises(UserError, match=rf"column '{column}' cannot be read \('Invalid UTF8"):
        read(tmp_path, **{column: broken})


@pytest.mark.parametrize("time", ["5\n", "0000-05-05"])
def test_a_time_that_one_reading_alone_would_take_is_named(tmp_path, time):
    with pytest.raises(UserError, match=r"row 1: time is '.*', expected seconds since 1970"):
        read(tmp_path, time=[time])


def test_names_of_columns_that_are_not_utf8_are_refused(tmp_path):
    path = tmp_path / "own.parquet"
    pq.write_table(pa.table({"user": ["a"], "item": ["b"], "note": ["c"]}), path)
    path.write_bytes(path.read_bytes().replace(b"note", b"n\xffte"))
    with pytest.raises(UserError, match=r"own\.parquet: cannot be read as Parquet .*0xff"):
        formats.get("table").check_beginnings(str(tmp_path))


def test_no_rows_and_no_parquet_are_refused(tmp_path):
    none = pa.array([], pa.string())
    with pytest.raises(UserError, match=r"own\.parquet: no rows, expected interactions\.$"):
        read(tmp_path, user=none, item=none)
    (tmp_path / "own.parquet").write_bytes(b"user,item\n1,2\n" * 10)
    with pytest.raises(UserError, match=r"own\.parquet: cannot be read as Parquet \(.*\)\.$"):
        formats.get("table").check_beginnings(str(tmp_path))


def test_an_empty_part_of_a_table_is_no_mistake(tmp_path):
    for number, users in enumerate(([], ["a"])):
        table = pa.table(
            {"user": pa.array(users, pa.string()), "item": pa.array(users, pa.string())}
        )
        pq.write_table(table, tmp_path / f"part-{number}.parquet")
    formats.get("table").check_beginnings(str(tmp_path))


def test_other_formats_have_no_parquet_files():
    with pytest.raises(NotImplementedError, match="'ncf' has no Parquet files"):
        formats.get("ncf").read_rows("a.parquet", b"", 0, 1)


class Code:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self._folder = folder

    def __reduce__(self):
        return pathlib.Path.mkdir, (self._folder,)


def test_a_file_runs_no_code_that_it_brings_along(tmp_path):
    made = tmp_path / "made"
    code = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickle.dumps(Code(made), 0),
    }
    names = [pa.field("user", pa.string()), pa.field("item", pa.string(), metadata=code)]
    table = pa.table([["a"], ["b"]], pa.schema(names))
    pq.write_table(table, tmp_path / "own.parquet")
    # A process of its own: Beam, which others import here, applies the remedy too.
    checks = "import sys; from components import formats; "
    checks += "formats.get('table').check_beginnings(sys.argv[1])"
    command = [sys.executable, "-c", checks, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert not made.exists()
    # Releases that need no remedy read it as a type that they do not know.
    told = ("cannot be read as Parquet (", "column 'item' has the type extension<")
    assert any(f"own.parquet: {words}" in ran.stderr for words in told)
