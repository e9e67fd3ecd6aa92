"""A table of one's own: every form of file gives the same rows, every fault is one sentence."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import formats
from components.columns import ColumnsConfig, TableConfig
from components.formats import base
from schema.errors import UserError
from tests.support import synthetic

ROWS = [
    {"user_id": "u1", "item_id": "7", "rating": 3.5, "timestamp": 1717180200},
    {"user_id": "ü 2", "item_id": "a,b", "rating": 4.0, "timestamp": 86400},
]
CSV = 'userId,note,item,rating,time\nu1,,7,3.5,1717180200\nü 2 ,"x ""y""", "a,b",4,86400\n'.replace(
    ' "a,b"', '"a,b"'
)
TEXTS = {
    "own.csv": CSV,
    "own.tsv": "User ID\tITEM\tstars\tdate\nu1\t7\t3.5\t2024-05-31T18:30:00Z\n"
    "ü 2\ta,b\t4\t1970-01-02\n",
    "semicolons.csv": "rating;user;item;ts\n3.5;u1;7;1717180200999\n4; ü 2;a,b;86400.5\n",
}


def read(folder, file=None, name="table", **columns):
    """All rows of a table, as its first lines and header have it."""
    table = TableConfig(file=file, columns=ColumnsConfig(**columns))
    layout = formats.get(name, table)
    layout.check_beginnings(str(folder))
    rows = []
    for number, path in enumerate(layout.locate(str(folder))[base.INTERACTIONS]):
        header = layout.read_header(base.INTERACTIONS, path)
        if path.endswith(".parquet"):
            tables = list(layout.read_rows(path, header, 0, 10**9, number))
        else:
            with (gzip.open if path.endswith(".gz") else open)(path, "rb") as opened:
                chunk = base.Chunk(path, 0, opened.read(), number)
            tables = [layout.parse(base.INTERACTIONS, chunk, header)]
        rows += pa.concat_tables(tables).to_pylist()
    return rows


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("file", TEXTS)
def test_text_of_any_delimiter_is_read_by_its_header(tmp_path, file, packed, end, mark):
    data = mark + TEXTS[file].encode().replace(b"\n", end)
    file += ".gz" if packed else ""
    (tmp_path / file).write_bytes(gzip.compress(data) if packed else data)
    assert formats.detect(str(tmp_path)) == "table"
    assert read(tmp_path) == ROWS
    assert read(tmp_path, file) == ROWS


def test_columns_have_the_names_that_are_declared(tmp_path):
    (tmp_path / "shop.csv").write_text("date,who,what,grade\n5,a,b,2\n")
    found = read(tmp_path, "shop.csv", user="who", item="what", rating="grade", timestamp="date")
    assert found == [{"user_id": "a", "item_id": "b", "rating": 2.0, "timestamp": 5}]
    assert read(tmp_path, None, user="who", item="what", timestamp=False)[0]["rating"] == 1.0


def test_numbers_and_dates_may_stand_in_one_column(tmp_path):
    times = ["5", "1970-01-01T00:00:07Z", "9", "9000000000000"]
    lines = [f"u,i{number},{time}\n" for number, time in enumerate(times)]
    (tmp_path / "own.csv").write_text("user,item,time\n" + "".join(lines))
    assert [row["timestamp"] for row in read(tmp_path)] == [5, 7, 9, 9_000_000_000]


def test_blank_lines_are_no_rows_and_long_notes_no_mistakes(tmp_path):
    note = "x" * 200_000
    (tmp_path / "own.csv").write_text(f'user,item,note\n\nu,i,"{note}"\n\r\nu,j,\n')
    rows = read(tmp_path)
    assert [row["item_id"] for row in rows] == ["i", "j"]
    # The place of the line's first byte.
    assert [row["timestamp"] for row in rows] == [16, 16 + 200_006 + 3]


def test_a_bad_row_is_found_behind_a_field_longer_than_pythons_csv_takes(tmp_path):
    note = "x" * 200_000
    (tmp_path / "own.csv").write_text(f'user,item,note\nu,i,"{note}"\nu,,\n')
    with pytest.raises(UserError, match=r"own\.csv, line 3: item is empty, expected an id\.$"):
        read(tmp_path)


def test_parts_are_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 1):
        (tmp_path / f"ratings-{number}.csv").write_text(f"item,user\n{number},u\n")
    for name in ("_SUCCESS", "README.txt", ".part.csv", "users.csv", "_metadata.csv"):
        (tmp_path / name).write_text("x")
    rows = read(tmp_path)
    assert [row["item_id"] for row in rows] == ["1", "9", "10"]
    times = [row["timestamp"] for row in rows]
    assert times == sorted(times)


def test_layouts_of_known_names_keep_precedence(tmp_path):
    for layout in synthetic.LAYOUTS:
        synthetic.write(tmp_path / layout, layout, users=5, items=10)
        (tmp_path / layout / "more.csv").write_text("user,item\n1,2\n")
        assert formats.detect(str(tmp_path / layout)) == layout


def test_a_ratings_csv_is_movielens_by_its_columns_unless_others_are_declared(tmp_path):
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("userId,movieId,rating,timestamp\n1,2,3,4\n")
    assert formats.detect(str(tmp_path)) == "ml-csv"
    declared = TableConfig(columns=ColumnsConfig(timestamp=False))
    assert formats.detect(str(tmp_path), declared) == "table"
    for header in ("userId,movieId,stars,timestamp", "userId;movieId;rating;timestamp"):
        ratings.write_text(f"{header}\n1,2,3,4\n")
        assert formats.detect(str(tmp_path)) == "table"


def test_items_beside_the_table_have_title_year_and_genres(tmp_path):
    (tmp_path / "clicks.csv").write_text("user,item\n1,2\n")
    (tmp_path / "items.csv").write_text("name;price;item_id;genre\nToys (1995);3;2;A|B\n;;3;\n")
    layout = formats.get("table")
    (path,) = layout.locate(str(tmp_path))[base.ITEMS]
    header = layout.read_header(base.ITEMS, path)
    with open(path, "rb") as file:
        items = layout.parse(base.ITEMS, base.Chunk(path, 0, file.read()), header)
    assert items.to_pylist() == [
        {"item_id": "2", "title": "Toys", "genres": ["A", "B"], "year": 1995},
        {"item_id": "3", "title": None, "genres": [], "year": None},
    ]
    assert base.ITEMS not in formats.get("table", TableConfig(file="clicks.csv")).locate(
        str(tmp_path)
    )


HEAD = b"user,item,rating,timestamp\n"
GOOD = b"u1,i1,3,100\n"
# What the file holds, and what is said of it.
FAULTS = {
    "nan": (HEAD + GOOD + b"u1,i2,nan,1\n", ", line 3: rating is 'nan', expected a finite number."),
    "decimal comma": (b"user;item;score\n1;2;3,5\n", ", line 2: score is '3,5', expected a finite"),
    "digits": (
        HEAD + GOOD + b"u1,i2,3," + b"9" * 5000 + b"\n",
        f", line 3: timestamp is '{60 * '9'}' an",
    ),
    "date": (
        b"user,item,date\n1,2,31.05.2024\n",
        ", line 2: date is '31.05.2024', expected seconds",
    ),
    "no date": (
        HEAD + b"u1,i1,3,\n",
        ", line 2: timestamp is '', expected seconds since 1970 or an",
    ),
    "long id": (
        HEAD + b'"' + b"x" * 200_000 + b'",i,3,1\n',
        f", line 2: user is '{60 * 'x'}' and mor",
    ),
    "blank id": (HEAD + b"u1, ,3,4\n", ", line 2: item is empty, expected an id."),
    "return in quotes": (
        HEAD + b'u1,"a\rb",3,4\n',
        ", line 2: a carriage return within the line, exp",
    ),
    "return": (
        b"user,item\nu1,i1\nu1\rx,i2\n",
        ", line 3: a carriage return within the line, expect",
    ),
    "old Mac": (
        b"user,item\r1,2\r3,4\r",
        ", line 1: a carriage return within, expected lines that",
    ),
    "line end": (
        b'user,item,note\n1,2,"a\nb"\n',
        ", line 2: a quote is not closed, expected one row",
    ),
    "open quote": (
        b'user,item,note\n1,2,"a\n1,3,b\n',
        ", line 2: a quote is not closed, expected one",
    ),
    "few fields": (
        HEAD + b"u1,i1,3\n",
        ", line 2: expected 4 fields (user, item, rating, timestamp),",
    ),
    "no line end": (b"x" * 20_000_000, ", line 1: no line end within 1048576 bytes, got 'xxxxxxxx"),
    "no second line end": (
        HEAD + b"x" * 20_000_000,
        ", line 2: no line end within 16777216 bytes.",
    ),
    "one column": (
        b"user\n1\n",
        ", line 1: expected the names of columns with commas, semicolons or",
    ),
    "no header": (
        b"1,2,3\n4,5,6\n",
        ", line 1: no column for the user, found 1, 2, 3; name it with",
    ),
    "only a header": (HEAD, ": only a header line, expected interactions after it."),
    "nothing": (b"", ": the file is empty, expected interactions."),
    "UTF-16": (
        "user,item\n1,2\n".encode("utf-16"),
        ", line 1: a NUL byte, expected interactions as",
    ),
    "Latin": (b"user,item\ncaf\xe9,2\n", ", line 2: byte 0xe9 at position 4 is not UTF-8."),
    "gzip": (
        gzip.compress(b"user,item\n1,2\n"),
        ", line 1: begins as gzip does, expected interacti",
    ),
}


@pytest.mark.parametrize(("data", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_short_sentence_with_file_and_line(tmp_path, data, words):
    path = tmp_path / "own.csv"
    path.write_bytes(data)
    with pytest.raises(UserError) as refused:
        read(tmp_path)
    sentence = str(refused.value)
    assert sentence.startswith(f"{path}{words}")
    assert "\n" not in sentence
    assert len(sentence) < len(str(path)) + 300


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"user,item\n1,2\n", "cannot be unpacked as gzip (Not a gzipped file"),
        (
            gzip.compress(b"user,item\n" + b"1,2\n" * 10_000)[:-20],
            "cannot be unpacked as gzip (Com",
        ),
        (gzip.compress(b""), "the file is empty, expected interactions."),
    ],
    ids=["text", "cut", "empty"],
)
def test_what_is_no_gzip_is_told(tmp_path, data, words):
    (tmp_path / "own.csv.gz").write_bytes(data)
    with pytest.raises(UserError) as refused:
        read(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / 'own.csv.gz'}: {words}")


def test_a_line_number_in_gzip_is_that_of_the_text(tmp_path):
    lines = b"user,item,rating\n" + b"1,2,3\n" * 50
    path = tmp_path / "own.csv.gz"
    path.write_bytes(gzip.compress(lines + b"1,2,x\n"))
    layout = formats.get("table")
    chunk = base.Chunk(str(path), len(lines), b"1,2,x\n")
    with pytest.raises(UserError, match=r"own\.csv\.gz, line 52: rating is 'x'"):
        layout.parse(base.INTERACTIONS, chunk, b"user,item,rating")


def test_files_that_are_not_parts_of_one_table_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("user,item,rating\n1,2,3\n")
    (tmp_path / "b.csv").write_text("user,item\n1,2\n")
    with pytest.raises(UserError, match=r"a\.csv and b\.csv have unlike columns, .*name one file"):
        read(tmp_path)
    assert len(read(tmp_path, "b.csv")) == 1
    pq.write_table(pa.table({"user": ["a"], "item": ["b"]}), tmp_path / "c.parquet")
    with pytest.raises(UserError, match=r"a\.csv and c\.parquet are unlike files"):
        read(tmp_path)


def test_a_folder_of_parts_one_folder_down_is_pointed_at(tmp_path):
    (tmp_path / "ratings.parquet").mkdir()
    with pytest.raises(UserError, match=r"did you mean .*/ratings\.parquet\?"):
        read(tmp_path)
