"""Every fault of a file is one sentence with file and line, or column."""

import pathlib
import subprocess
import sys

import pytest

from components.formats import base
from schema.errors import UserError

GOOD = {
    "ml-100k": ("u.data", b"1\t10\t3\t100\n"),
    "ml-1m": ("ratings.dat", b"1::10::3::100\n"),
    "ml-csv": ("ratings.csv", b"1,10,3.5,100\r\n"),
    "ncf": ("x.train.rating", b"1\t10\t3\t100\n"),
    "recbole": ("x.inter", b"1\t10\t3\t100\n"),
}
HEADERS = {
    "ml-csv": b"userId,movieId,rating,timestamp\r\n",
    "recbole": b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n",
}
DELIMITERS = {"ml-1m": b"::", "ml-csv": b","}
LAYOUTS = list(GOOD)
# Good lines before the bad one, besides the header: enough for several pieces.
BEFORE = 40


def _refusal(read, folder, role, name, pieces=5) -> str:
    with pytest.raises(UserError) as caught:
        read(folder, name, role, pieces)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


def _write(folder: pathlib.Path, name: str, bad: bytes) -> tuple[str, int]:
    """Writes good lines around a bad one of `|`-separated fields; (path, its line)."""
    file, good = GOOD[name]
    end = b"\r\n" if name == "ml-csv" else b"\n"
    bad = bad.replace(b"|", DELIMITERS.get(name, b"\t")) + end
    header = HEADERS.get(name, b"")
    (folder / file).write_bytes(header + good * BEFORE + bad + good * 5)
    if name == "ncf":
        (folder / "x.test.rating").write_bytes(good)
    return str(folder / file), BEFORE + 1 + bool(header)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"1|10|3", "expected 4 fields"),
        (b"1|10|3|100|7", "got 5"),
        (b"1|10|good|100", "'good', expected a finite number"),
        (b"1|10||100", "'', expected a finite number"),
        (b"1|10|1_0|100", "'1_0', expected a finite number"),
        (b"1|10|nan|100", "'nan', expected a finite number"),
        (b"1|10|-inf|100", "'-inf', expected a finite number"),
        (b"1|10|1e99|100", "'1e99', expected a finite number"),
        (b"1|10|3|noon", "'noon', expected"),
        (b"1|10|3|", "'', expected"),
        (b"1|10|3|nan", "'nan', expected"),
        (b"1|10|3|" + b"9" * 5000, f"'{60 * '9'}' and more, expected"),
        (b"|10|3|100", "is empty, expected an id"),
        (b"1||3|100", "is empty, expected an id"),
        (b"1|1\xe90|3|100", "byte 0xe9 at position"),
        (b"1|1\x000|3|100", "a NUL byte"),
        (b"   ", "expected 4 fields"),
    ],
)
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_bad_line_of_interactions_is_named(tmp_path, read, name, bad, words):
    path, line = _write(tmp_path, name, bad)
    sentence = _refusal(read, tmp_path, base.INTERACTIONS, name)
    assert sentence.startswith(f"{path}, line {line}: ")
    assert words in sentence


def test_the_first_of_several_bad_lines_is_named(tmp_path, read):
    (tmp_path / "u.data").write_bytes(b"1\t2\t3\t4\n\n1\t2\tx\t4\n1\t2\t3\n\0\n")
    assert "u.data, line 3: rating is 'x'" in _refusal(
        read, tmp_path, base.INTERACTIONS, "ml-100k", 1
    )


def test_a_decimal_timestamp_is_whole_seconds_only_in_recbole(tmp_path, read):
    _write(tmp_path, "recbole", b"1|11|3|100.75")
    assert [r["timestamp"] for r in read(tmp_path, "recbole", base.INTERACTIONS)] == [100] * 46
    _write(tmp_path, "ml-csv", b"1|11|3|100.75")
    sentence = _refusal(read, tmp_path, base.INTERACTIONS, "ml-csv")
    assert "timestamp is '100.75', expected whole seconds" in sentence


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_carriage_return_within_a_line_makes_no_two_rows_of_it(tmp_path, read, name):
    path, line = _write(tmp_path, name, b"1|10|3|100\r2|10|3|100")
    sentence = _refusal(read, tmp_path, base.INTERACTIONS, name)
    assert sentence.startswith(f"{path}, line {line}: a carriage return within the line")


def test_a_carriage_return_may_end_the_last_line(tmp_path, read):
    (tmp_path / "u.data").write_bytes(b"1\t2\t3\t4\r\n1\t3\t3\t4\r")
    assert len(read(tmp_path, "ml-100k", base.INTERACTIONS)) == 2


def test_a_quote_that_is_not_closed_takes_no_rows_away(tmp_path, read):
    path = tmp_path / "ratings.csv"
    rows = b'1,10,3,100,"a\n' + b"1,11,3,100,\n" * 20 + b'1,12,3,100,b"\n'
    path.write_bytes(b"userId,movieId,rating,timestamp,note\n" + rows)
    sentence = _refusal(read, tmp_path, base.INTERACTIONS, "ml-csv", 1)
    assert sentence == f"{path}, line 2: a quote is not closed, expected one row a line."


def test_a_message_escapes_and_cuts_the_names_of_columns(tmp_path, read):
    path = tmp_path / "ratings.csv"
    path.write_bytes(b"\x1b[31m,movieId,rating,timestamp\n1,2,3,4\n")
    assert "found \\x1b[31m, movieId" in _refusal(read, tmp_path, base.INTERACTIONS, "ml-csv")
    path.write_bytes(b"userId,movieId,rating,timestamp," + b"x" * 5000 + b"\n1,2\n")
    assert len(_refusal(read, tmp_path, base.INTERACTIONS, "ml-csv")) < len(str(path)) + 300


def test_colons_inside_a_dat_line_are_not_taken_for_delimiters(tmp_path, read):
    path, line = _write(tmp_path, "ml-1m", b"1|10:7:|3|100")
    sentence = _refusal(read, tmp_path, base.INTERACTIONS, "ml-1m")
    assert sentence == f"{path}, line {line}: Rating is ':3', expected a finite number."


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n \n"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_an_empty_file_is_refused(tmp_path, read, name, content):
    path, _ = _write(tmp_path, name, b"")
    pathlib.Path(path).write_bytes(content)
    sentence = _refusal(read, tmp_path, base.INTERACTIONS, name)
    assert sentence == f"{path}: the file is empty, expected interactions."


@pytest.mark.parametrize("tail", [b"", b"\r\n\r\n"])
@pytest.mark.parametrize("name", list(HEADERS))
def test_a_header_alone_is_refused(tmp_path, read, name, tail):
    file, _ = GOOD[name]
    (tmp_path / file).write_bytes(HEADERS[name].strip() + tail)
    sentence = _refusal(read, tmp_path, base.INTERACTIONS, name)
    assert f"{file}: only a header line, expected interactions after it." in sentence


def test_a_blank_line_for_a_header_is_refused(tmp_path, read):
    (tmp_path / "ratings.csv").write_bytes(b"\n" + HEADERS["ml-csv"] + GOOD["ml-csv"][1])
    assert "line 1 is blank" in _refusal(read, tmp_path, base.INTERACTIONS, "ml-csv")


BINARY = {
    "parquet": b"PAR1\x15\x04\x15\x20\0\0" + bytes(range(256)) * 4,
    "utf-16": "userId,movieId,rating,timestamp\r\n1,2,3,4\r\n".encode("utf-16"),
    "gzip": b"\x1f\x8b\x08\xff" + bytes(range(1, 256)) * 900,
    "one long quoted line": b'"' + b"x" * 200_000 + b'"\n1,2,3,4\n',
}


@pytest.mark.parametrize("content", BINARY.values(), ids=BINARY)
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_file_that_is_no_text_is_one_short_sentence(tmp_path, read, name, content):
    path, _ = _write(tmp_path, name, b"")
    pathlib.Path(path).write_bytes(content)
    sentence = _refusal(read, tmp_path, base.INTERACTIONS, name, 1)
    assert sentence.startswith(f"{path}, line 1: ")
    assert len(sentence) < len(path) + 300


@pytest.mark.parametrize(
    ("name", "header", "words"),
    [
        ("ml-csv", b"userId,movieId,rating\n1,2,3\n", "no column 'timestamp', found userId, "),
        ("ml-csv", b"1,10,3.5,100\n1,11,3.5,100\n", "no column 'userId', found 1, 10, 3.5, 100"),
        (
            "ml-csv",
            b"userId,movieId,rating,timestamp,rating\n1,2,3,4,5\n",
            "more than one column 'rating'",
        ),
        ("recbole", b"user_id:token\titem_id:token\n1\t2\n", "no column 'rating', found user_id"),
    ],
)
def test_a_missing_or_doubled_column_is_named(tmp_path, read, name, header, words):
    file, _ = GOOD[name]
    (tmp_path / file).write_bytes(header)
    sentence = _refusal(read, tmp_path, base.INTERACTIONS, name)
    assert sentence.startswith(f"{tmp_path / file}, line 1: {words}")


# Format, role, file, the good lines before, the bad line, what is said of it.
OTHER_FAULTS = [
    ("ml-100k", base.USERS, "u.user", b"1|24|M|writer|0\n", b"2|24|M|writer", "expected 5 fields"),
    ("ml-100k", base.USERS, "u.user", b"1|24|M|writer|0\n", b"2|old|M|writer|0", "age is 'old'"),
    ("ml-100k", base.USERS, "u.user", b"1|24|M|writer|0\n", b"|24|M|writer|0", "user id is empty"),
    ("ml-100k", base.ITEMS, "u.item", b"1|A||||" + b"0|" * 18 + b"1\n", b"2|B", "expected 24"),
    (
        "ml-100k",
        base.ITEMS,
        "u.item",
        b"1|A||||" + b"0|" * 18 + b"1\n",
        b"2|B||||" + b"0|" * 18 + b"7",
        "genre flag Western is '7', expected 0 or 1",
    ),
    ("ml-1m", base.USERS, "users.dat", b"1::F::1::10::4\n", b"2::F::1::10", "expected 5 fields"),
    ("ml-1m", base.USERS, "users.dat", b"1::F::1::10::4\n", b"2::F::1::21::4", "expected 0 to 20"),
    ("ml-1m", base.USERS, "users.dat", b"1::F::1::10::4\n", b"2::F::x::2::4", "Age is 'x'"),
    ("ml-1m", base.ITEMS, "movies.dat", b"1::A::B\n", b"2::A", "(MovieID, Title, Genres), got 2"),
    ("ml-1m", base.ITEMS, "movies.dat", b"1::A::B\n", b"2::A\0::B", "a NUL byte"),
    ("ml-1m", base.ITEMS, "movies.dat", b"1::A::B\n", b"::A::B", "MovieID is empty"),
    ("ml-csv", base.ITEMS, "movies.csv", b"movieId,title,genres\n", b"1,A, B,C", "got 4"),
    ("ml-csv", base.ITEMS, "movies.csv", b"movieId,title,genres\n", b'1,"A,C', "got 2"),
    ("ml-csv", base.ITEMS, "movies.csv", b"movieId,title,genres\n", b"1,\xe9,C", "byte 0xe9"),
    ("ml-csv", base.ITEMS, "movies.csv", b"movieId,title,genres\n", b",A,C", "movieId is empty"),
    ("ncf", base.CANDIDATES, "x.test.negative", b"(0,1)\t2\t3\n", b"(0,1)\t2", "expected 2 neg"),
    ("ncf", base.CANDIDATES, "x.test.negative", b"(0,1)\t2\t3\n", b"(0,1)\t2\t3\t4", "got 3"),
    ("ncf", base.CANDIDATES, "x.test.negative", b"(0,1)\t2\t3\n", b"(0,1)\t\t3", "got 1"),
    ("ncf", base.CANDIDATES, "x.test.negative", b"(0,1)\t2\t3\n", b"0,1\t2\t3", "got '0,1'"),
    ("recbole", base.USERS, "x.user", b"user_id:token\tage:token\n", b"1", "got 1"),
    ("recbole", base.USERS, "x.user", b"user_id:token\tage:token\n", b"1\tx", "age is 'x'"),
    ("recbole", base.USERS, "x.user", b"user_id:token\tage:token\n", b"\t2", "user_id is empty"),
    ("recbole", base.ITEMS, "x.item", b"item_id:token\tclass:token_seq\n", b"\tA", "item_id is"),
]


@pytest.mark.parametrize(("name", "role", "file", "before", "bad", "words"), OTHER_FAULTS)
def test_a_bad_line_of_another_file_is_named(tmp_path, read, name, role, file, before, bad, words):
    _write(tmp_path, name, b"1|10|3|100")
    (tmp_path / file).write_bytes(before + bad + b"\n")
    sentence = _refusal(read, tmp_path, role, name, 2)
    assert sentence.startswith(f"{tmp_path / file}, line 2: ")
    assert words in sentence


@pytest.mark.parametrize(
    ("name", "role", "file", "header", "column"),
    [
        ("ml-csv", base.ITEMS, "movies.csv", b"movieId,title", "genres"),
        ("recbole", base.USERS, "x.user", b"uid:token\tage:token", "user_id"),
        ("recbole", base.ITEMS, "x.item", b"iid:token", "item_id"),
    ],
)
def test_a_missing_column_of_another_file_is_named(
    tmp_path, read, name, role, file, header, column
):
    _write(tmp_path, name, b"1|10|3|100")
    (tmp_path / file).write_bytes(header + b"\n1\t2\n")
    assert f"no column '{column}'" in _refusal(read, tmp_path, role, name)


REFUSE = """
import sys
from components import formats
from components.formats import base
from schema.errors import UserError
try:
    formats.get("ml-100k").parse(base.INTERACTIONS, base.Chunk("u.data", 0, b"1,2,3,4\\n"), b"")
except UserError:
    sys.exit(2)
"""


@pytest.mark.seconds
def test_a_process_that_refused_a_file_ends_as_it_means_to():
    # Arrow's thread, letting go of the bytes while the interpreter ended, aborted one in five.
    root = pathlib.Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", REFUSE]
    codes = [subprocess.run(command, cwd=root, check=False).returncode for _ in range(12)]
    assert codes == [2] * 12
