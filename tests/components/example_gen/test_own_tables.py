"""The real generators on tables of one's own."""

import datetime
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.columns import ColumnsConfig, TableConfig
from components.example_gen import counts
from components.example_gen.component import CatalogExampleGen, InteractionsExampleGen
from components.example_gen.config import IngestConfig
from schema import features
from schema.errors import UserError, find_user_error
from tests.support import synthetic


def generators(folder, ingest=IngestConfig(), **table):  # noqa: B008
    config = TableConfig(**table)
    return (
        InteractionsExampleGen(str(folder), "table", ingest, "digest", config),
        CatalogExampleGen(str(folder), "table", "digest", config),
    )


def _iso(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()


def _write_parts(folder, rows):
    for part in range(3):
        lines = [f"{u};{i};{r};{_iso(t)}\n" for u, i, r, t in rows[part::3]]
        (folder / f"part-{part}.csv").write_text("user;item;rating;date\n" + "".join(lines))


def _write_gzip(folder, rows):
    lines = [f"{t}999\t{i}\t{u}\t{r}\n" for u, i, r, t in rows]
    text = "timestamp\titem\tuser\trating\n" + "".join(lines)
    (folder / "own.tsv.gz").write_bytes(gzip.compress(text.encode()))


def _write_parquet(folder, rows):
    users, items, ratings, times = zip(*rows, strict=True)
    table = pa.table(
        {
            "user": [int(user) for user in users],
            "item": items,
            "score": ratings,
            "time": pa.array(times, pa.timestamp("s")),
        }
    )
    pq.write_table(table, folder / "own.parquet", row_group_size=50)


@pytest.mark.seconds
@pytest.mark.parametrize("write", [_write_parts, _write_gzip, _write_parquet])
def test_every_form_gives_the_examples_that_movielens_layout_gives(
    tmp_path, run_generator, records, write
):
    data = synthetic.write(tmp_path / "csv", "ml-csv", users=30, items=20)
    (tmp_path / "own").mkdir()
    write(tmp_path / "own", data.interactions)
    films = (tmp_path / "csv" / "movies.csv").read_bytes().replace(b"movieId", b"item_id")
    (tmp_path / "own" / "items.csv").write_bytes(films)
    folder = str(tmp_path / "csv")
    expected = (
        InteractionsExampleGen(folder, "ml-csv", IngestConfig(), "digest"),
        CatalogExampleGen(folder, "ml-csv", "digest"),
    )
    found = generators(tmp_path / "own")
    for ours, theirs, splits in zip(
        found, expected, (features.INTERACTION_SPLITS, (features.CATALOG,)), strict=True
    ):
        made, wanted = run_generator(ours, range_bytes=600), run_generator(theirs)
        for split in splits:
            assert records(made, split) == records(wanted, split) != []


def test_without_times_the_last_rows_are_held_out_and_each_counts_one(
    tmp_path, run_generator, rows
):
    # Of user a the rows are spread over both parts; the second is read last.
    (tmp_path / "clicks-2.csv").write_text("buyer,page\na,x\nb,p\nb,q\nb,r\n")
    (tmp_path / "clicks-10.csv").write_text("buyer,page\na,z\na,y\na,x\n")
    columns = ColumnsConfig(user="buyer", item="page")
    examples, _ = generators(tmp_path, columns=columns)
    artifact = run_generator(examples, range_bytes=12)
    test = {row["user_id"][0]: row for row in rows(artifact, "test")}
    assert test["a"]["item_id"] == ["z", "y"]
    assert test["a"]["target_item_id"] == ["x"]
    assert test["b"]["item_id"] == ["p", "q"]
    assert test["a"]["rating"] == [1.0, 1.0]
    assert artifact.get_int_custom_property(counts.DUPLICATES) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"min_rating": 3.0}, "no rating column, so data.ingest.min_rating=3.0 has nothing to com"),
        ({"split": "temporal"}, "no timestamp column, so data.ingest.split=temporal has no times"),
    ],
)
def test_what_needs_a_missing_column_is_refused_where_the_work_is_done(
    tmp_path, run_generator, settings, words
):
    (tmp_path / "own.csv").write_text("user,item\na,x\n")
    examples, _ = generators(tmp_path, IngestConfig(**settings))
    with pytest.raises(UserError, match=words):
        run_generator(examples)


def test_a_bad_row_far_into_a_file_is_named_through_beam(tmp_path, run_generator):
    text = "user,item\n" + "a,x\n" * 2000 + "a,\n"
    (tmp_path / "own.csv.gz").write_bytes(gzip.compress(text.encode()))
    pq.write_table(
        pa.table({"user": ["a"] * 9 + [None], "item": range(10)}), tmp_path / "own.parquet"
    )
    for file, words in (
        ("own.csv.gz", "line 2002: item is empty"),
        ("own.parquet", "row 10: user"),
    ):
        with pytest.raises(Exception) as error:  # noqa: PT011 - Beam decides the type
            run_generator(generators(tmp_path, file=file)[0])
        assert f"{tmp_path / file}, {words}" in find_user_error(error.value)
