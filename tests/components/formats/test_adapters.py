"""Each adapter on lines as the real files have them, values read off by hand."""

import numpy as np
import pyarrow as pa
import pytest

from components import formats
from components.formats import base
from components.formats.reading import schemas

BOM = b"\xef\xbb\xbf"
INTERACTIONS = {
    "ml-100k": ("u.data", b"", b"196\t242\t3\t881250949\n"),
    "ml-1m": ("ratings.dat", b"", b"196::242::3::881250949\n"),
    "ml-csv": ("ratings.csv", b"userId,movieId,rating,timestamp\n", b"196,242,3.0,881250949\n"),
    "recbole": (
        "x.inter",
        b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n",
        b"196\t242\t3\t881250949\n",
    ),
}
ROW = {"user_id": "196", "item_id": "242", "rating": 3.0, "timestamp": 881250949}


@pytest.mark.parametrize("name", list(INTERACTIONS))
def test_interactions_have_the_canonical_types(tmp_path, name):
    _, header, line = INTERACTIONS[name]
    table = formats.get(name).parse_interactions(
        base.Chunk("file", 0, header + line * 2), header.strip()
    )
    assert table.schema == schemas.INTERACTIONS_SCHEMA
    assert table.to_pylist() == [ROW, ROW]
    assert table.column("user_id").num_chunks == 1


@pytest.mark.parametrize("name", list(INTERACTIONS))
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: BOM + data,
        lambda data: BOM + data.replace(b"\n", b"\r\n"),
        lambda data: data.rstrip(b"\n"),
        lambda data: data + b"\n\r\n\n",
    ],
    ids=["CRLF", "BOM", "BOM and CRLF", "no last line end", "blank lines"],
)
def test_line_ends_and_marks_of_other_systems_change_nothing(tmp_path, read, name, change):
    file, header, line = INTERACTIONS[name]
    (tmp_path / file).write_bytes(change(header + line * 3))
    assert read(tmp_path, name, base.INTERACTIONS) == [ROW] * 3
    assert read(tmp_path, name, base.INTERACTIONS, 3) == [ROW] * 3


@pytest.mark.parametrize("name", ["ml-csv", "recbole"])
def test_a_chunk_of_nothing_but_the_header_is_an_empty_table(name):
    _, header, _ = INTERACTIONS[name]
    table = formats.get(name).parse_interactions(base.Chunk("file", 0, header), header.strip())
    assert table.schema == schemas.INTERACTIONS_SCHEMA
    assert table.num_rows == 0


def test_columns_of_a_csv_are_found_by_name_in_any_order(tmp_path, read):
    (tmp_path / "ratings.csv").write_bytes(
        b'timestamp,"note",rating,movieId,userId\n'
        b'881250949,"good, ""really""",3.0,242,196\n'
        b"881250949,\xff,3.0,242,196\n"
    )
    assert read(tmp_path, "ml-csv", base.INTERACTIONS) == [ROW] * 2


def test_ids_stay_text(tmp_path, read):
    (tmp_path / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n007,NA,3,1\nünal,null,3,1\n", encoding="utf-8"
    )
    rows = read(tmp_path, "ml-csv", base.INTERACTIONS)
    assert [(row["user_id"], row["item_id"]) for row in rows] == [("007", "NA"), ("ünal", "null")]


def test_ml_100k_items(tmp_path, read):
    flags = "0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0"
    unknown = "1" + "|0" * 18
    (tmp_path / "u.data").touch()
    (tmp_path / "u.item").write_text(
        f"1|Toy Story (1995)|01-Jan-1995||http://x/Toy%20Story|{flags}\n"
        f"543|Misérables, Les (1995)|01-Jan-1995||http://x|{unknown}\n"
        f"267|unknown||||{unknown}\n"
        f"9|Land (1995) (V)|01-Jan-1994||http://x|{flags}\n"
        f"10|Babylon|04-Feb-1971||http://x|{flags}\n",
        encoding="iso-8859-1",
    )
    genres = ["Animation", "Children's", "Comedy"]
    assert read(tmp_path, "ml-100k", base.ITEMS) == [
        {"item_id": "1", "title": "Toy Story", "genres": genres, "year": 1995},
        {"item_id": "543", "title": "Misérables, Les", "genres": [], "year": 1995},
        {"item_id": "267", "title": None, "genres": [], "year": None},
        {"item_id": "9", "title": "Land", "genres": genres, "year": 1995},
        {"item_id": "10", "title": "Babylon", "genres": genres, "year": 1971},
    ]


def test_ml_1m_users_keep_age_codes_and_get_occupation_names(tmp_path, read):
    (tmp_path / "ratings.dat").touch()
    (tmp_path / "users.dat").write_text(
        "1::F::1::10::48067\n2::M::56::16::98107-2117\n3::M::25::0::\n4::::::::\n"
    )
    rows = [tuple(row.values()) for row in read(tmp_path, "ml-1m", base.USERS)]
    assert rows == [
        ("1", "F", 1, "K-12 student", "48067"),
        ("2", "M", 56, "self-employed", "98107-2117"),
        ("3", "M", 25, "other", None),
        ("4", None, None, None, None),
    ]


def test_dat_items_in_either_encoding(tmp_path, read):
    (tmp_path / "ratings.dat").touch()
    (tmp_path / "movies.dat").write_bytes(
        "73::Misérables, Les (1995)::Drama|Musical\n".encode("iso-8859-1")
        + '74::"Amélie": A Life (2001)::(no genres listed)\n'.encode()
    )
    assert read(tmp_path, "ml-1m", base.ITEMS) == [
        {"item_id": "73", "title": "Misérables, Les", "genres": ["Drama", "Musical"], "year": 1995},
        {"item_id": "74", "title": '"Amélie": A Life', "genres": [], "year": 2001},
    ]


def test_csv_items_with_quotes_and_commas(tmp_path, read):
    (tmp_path / "ratings.csv").touch()
    (tmp_path / "movies.csv").write_text(
        "movieId,title,genres\r\n"
        '11,"American President, The (1995)",Comedy|Drama|Romance\r\n'
        '1,"""Great Performances"" Cats (1998)",Musical\r\n'
        "2,Babylon 5,(no genres listed)\r\n",
        encoding="utf-8",
        newline="",
    )
    drama = ["Comedy", "Drama", "Romance"]
    assert read(tmp_path, "ml-csv", base.ITEMS) == [
        {"item_id": "11", "title": "American President, The", "genres": drama, "year": 1995},
        {"item_id": "1", "title": '"Great Performances" Cats', "genres": ["Musical"], "year": 1998},
        {"item_id": "2", "title": "Babylon 5", "genres": [], "year": None},
    ]


def test_ncf_drops_a_candidate_equal_to_the_target(tmp_path, read):
    for name in ("m.train.rating", "m.test.rating", "m.item_map.csv"):
        (tmp_path / name).touch()
    (tmp_path / "m.test.negative").write_text("(0,25)\t1064\t25\t174\n(7, 3)\t1\t2\t4\n")
    assert read(tmp_path, "ncf", base.CANDIDATES) == [
        {"user_id": "0", "target_item_id": "25", "candidate_item_id": ["1064", "174"]},
        {"user_id": "7", "target_item_id": "3", "candidate_item_id": ["1", "2", "4"]},
    ]


def test_recbole_columns_are_found_by_name(tmp_path, read):
    (tmp_path / "x.inter").touch()
    (tmp_path / "x.user").write_text("age:float\tuser_id:token\tvip:float\n24.0\t1\t0\n\t2\t1\n")
    (tmp_path / "x.item").write_text(
        "genre:token_seq\titem_id:token\tmovie_title:token_seq\trelease_year:token\n"
        "Animation Children's Comedy\t1\tToy Story\t1995\n"
        "unknown\t267\tunkonwn\tunkonwn\n"
        "Animation\t1412\tLand Before Time III (1995)\tV\n"
    )
    assert read(tmp_path, "recbole", base.USERS) == [
        {"user_id": "1", "age": 24},
        {"user_id": "2", "age": None},
    ]
    genres = ["Animation", "Children's", "Comedy"]
    assert read(tmp_path, "recbole", base.ITEMS) == [
        {"item_id": "1", "title": "Toy Story", "genres": genres, "year": 1995},
        {"item_id": "267", "title": None, "genres": [], "year": None},
        {"item_id": "1412", "title": "Land Before Time III", "genres": ["Animation"], "year": 1995},
    ]


def test_line_numbers_count_from_the_start_of_the_file(tmp_path):
    path = tmp_path / "file"
    lines = [b"x" * length + b"\n" for length in np.random.default_rng(0).integers(0, 9, 1000)]
    path.write_bytes(b"".join(lines))
    offset = sum(map(len, lines[:700]))
    assert base.Chunk(str(path), offset, b"".join(lines[700:])).line_number(1) == 701
    assert base.Chunk(str(path), 0, path.read_bytes()).line_number(700) == 700


def test_a_format_without_a_role_says_so():
    with pytest.raises(NotImplementedError, match="'ncf' has no items"):
        formats.get("ncf").parse_items(base.Chunk("file", 0, b""), b"")


def test_float_ratings_keep_their_halves():
    _, header, _ = INTERACTIONS["ml-csv"]
    lines = b"".join(b"1,2,%.1f,3\n" % (half / 2) for half in range(1, 11))
    table = formats.get("ml-25m").parse_interactions(
        base.Chunk("file", 0, header + lines), header.strip()
    )
    assert table.column("rating").type == pa.float32()
    assert table.column("rating").to_pylist() == [half / 2 for half in range(1, 11)]
