import os

import pytest

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
    plan = reading.plan("ml-1m", str(tmp_path), (base.INTERACTIONS, base.USERS), 20)
    assert [(r.role, r.start, r.end) for r in plan if r.role == base.INTERACTIONS] == [
        (base.INTERACTIONS, 0, 20),
        (base.INTERACTIONS, 20, 40),
        (base.INTERACTIONS, 40, len(TEXT)),
    ]
    assert {r.role for r in plan} == {base.INTERACTIONS, base.USERS}
    assert {r.header for r in plan if r.role == base.INTERACTIONS} == {b"1::10::5::7"}


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
    plan = reading.plan("ml-1m", str(tmp_path), (base.INTERACTIONS,), 20)
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
