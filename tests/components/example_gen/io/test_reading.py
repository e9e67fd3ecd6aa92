import gzip
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import formats
from components.example_gen.io import reading
from components.formats import base
from schema.errors import UserError

TEXT = b"1::10::5::7\n22::10::3::8\r\n\n333::1::2::9\n4::2::4::123456789"
ANY = reading.Version(0, 0)


def ranges(path, size):
    return [
        reading.FileRange(base.INTERACTIONS, str(path), b"", at, min(at + size, len(TEXT)), ANY)
        for at in range(0, len(TEXT), size)
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 11, 12, 13, 14, 25, 26, 1000])
def test_ranges_of_any_size_give_each_line_once(tmp_path, size):
    path = tmp_path / "ratings.dat"
    path.write_bytes(TEXT)
    chunks = [c for r in ranges(path, size) if (c := reading.read_lines(r)) is not None]
    assert b"".join(chunk.data for chunk in chunks) == TEXT
    for chunk in chunks:
        assert TEXT[chunk.offset :].startswith(chunk.data)
        assert chunk.offset == 0 or TEXT[chunk.offset - 1 : chunk.offset] == b"\n"


def test_a_plan_covers_the_files_of_the_wanted_roles(tmp_path):
    (tmp_path / "ratings.dat").write_bytes(TEXT)
    (tmp_path / "users.dat").write_bytes(b"1::F::1::10::48067\n")
    (tmp_path / "movies.dat").write_bytes(b"1::A (1990)::Drama\n")
    plan = reading.plan(formats.get("ml-1m"), str(tmp_path), (base.INTERACTIONS, base.USERS), 20)
    assert [(r.role, r.start, r.end) for r in plan if r.role == base.INTERACTIONS] == [
        (base.INTERACTIONS, 0, 20),
        (base.INTERACTIONS, 20, 40),
        (base.INTERACTIONS, 40, len(TEXT)),
    ]
    assert {r.role for r in plan} == {base.INTERACTIONS, base.USERS}
    assert {r.header for r in plan if r.role == base.INTERACTIONS} == {b"1::10::5::7"}


def _places(folder, range_bytes, block_bytes=1 << 20):
    """Items, and timestamps made up for them, as all ranges of a table give them."""
    layout = formats.get("table")
    plan = reading.plan(layout, str(folder), (base.INTERACTIONS,), range_bytes)
    tables = [t for source in plan for t in reading.parse(layout, source, block_bytes)]
    rows = pa.concat_tables(tables)
    return rows.column("item_id").to_pylist(), rows.column("timestamp").to_pylist(), len(tables)


@pytest.mark.parametrize("packed", [False, True])
def test_the_order_of_rows_stands_for_time_however_files_are_cut(tmp_path, packed):
    files = {2: range(5), 10: range(5, 30), 1: range(30, 32)}
    for number, items in files.items():
        text = "user,item\n" + "\r\n".join(f'u,"i{item}"\n' for item in items)
        suffix, data = (".gz", gzip.compress(text.encode())) if packed else ("", text.encode())
        (tmp_path / f"part-{number}.csv{suffix}").write_bytes(data)
    whole = _places(tmp_path, 1 << 20)
    assert whole[0] == [f"i{item}" for number in (1, 2, 10) for item in files[number]]
    assert whole[1] == sorted(set(whole[1]))
    assert whole[2] == 3
    for size in (3, 8, 40):
        cut = _places(tmp_path, size, size)
        assert cut[:2] == whole[:2]
        assert cut[2] > 3


def test_row_groups_are_ranges_and_small_ones_go_together(tmp_path):
    items = [f"i{item}" for item in range(100)]
    table = pa.table({"user": ["u"] * 100, "item": items})
    pq.write_table(table, tmp_path / "clicks.parquet", row_group_size=8)
    for size in (1, 24 * 30, 1 << 20):
        names, times, parts = _places(tmp_path, size)
        assert names == items
        assert times == list(range(100))
        assert parts == {1: 13, 24 * 30: 4, 1 << 20: 1}[size]


def test_sizes_are_told_as_text_whatever_the_file(tmp_path):
    version = reading.Version(1000, 0)
    size = reading.FileRange(base.INTERACTIONS, "a.csv", b"", 10, 20, version).text_bytes
    packed = reading.FileRange(base.INTERACTIONS, "a.csv.gz", b"", 0, 20, version).text_bytes
    rows = reading.FileRange(base.INTERACTIONS, "a.parquet", b"", 100, 200, version).text_bytes
    assert (size, packed, rows) == (10, 80, 2400)


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path, packed, monkeypatch):
    monkeypatch.setattr(reading, "LONGEST_LINE", 100_000)
    data = b"user,item\nu,i\n" + b"x" * 1_000_000
    path = tmp_path / ("own.csv.gz" if packed else "own.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(UserError, match=r"line 3: no line end within 100000 bytes\.$"):
        _places(tmp_path, 1000, 1000)


def _appended(path):
    with path.open("ab") as file:
        file.write(b"5::5::5::5\n")


def _rewritten(path):
    """Another content of the same size, a moment later."""
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))


@pytest.mark.parametrize("change", [_appended, _rewritten, lambda path: path.unlink()])
def test_a_file_that_changed_since_it_was_planned_is_refused(tmp_path, change):
    for name in ("ratings.dat", "users.dat"):
        (tmp_path / name).write_bytes(TEXT)
    plan = reading.plan(formats.get("ml-1m"), str(tmp_path), (base.INTERACTIONS,), 20)
    reading.check_unchanged(plan)
    # Nobody reads it.
    _appended(tmp_path / "users.dat")
    reading.check_unchanged(plan)
    change(tmp_path / "ratings.dat")
    with pytest.raises(
        UserError, match=r"ratings\.dat: expected a file that stays as it is"
    ) as raised:
        reading.check_unchanged(plan)
    assert f"got {len(TEXT)} bytes of 20" in str(raised.value)
