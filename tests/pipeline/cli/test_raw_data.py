"""Which raw data a run reads, and what is told of them before anything is loaded."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.columns import ColumnsConfig, TableConfig
from components.example_gen.config import IngestConfig
from pipeline.cli import raw_data
from pipeline.config.run import DataConfig
from schema.errors import UserError
from tests.support import synthetic


def inspect(path, **settings):
    data = DataConfig(path=str(path), **settings)
    return raw_data.inspect(data, raw_data.locate(data))


def test_a_folder_of_a_known_layout_has_all_columns(tmp_path):
    synthetic.write(tmp_path, "ml-1m", users=5, items=10)
    raw = inspect(tmp_path)
    assert (raw.folder, raw.format_name, raw.table) == (str(tmp_path), "ml-1m", TableConfig())
    assert set(raw.columns) == {"user_id", "item_id", "rating", "timestamp"}
    assert raw.describe() is None


def test_a_file_is_a_table_in_its_folder(tmp_path):
    path = tmp_path / "clicks.parquet"
    pq.write_table(pa.table({"buyer": ["a"], "item": [1]}), path)
    columns = ColumnsConfig(user="buyer")
    raw = inspect(path, columns=columns)
    assert (raw.folder, raw.format_name) == (str(tmp_path), "table")
    assert raw.table == TableConfig(file="clicks.parquet", columns=columns)
    assert raw.describe().startswith("user=buyer, item=item, no rating (every row is an")


@pytest.mark.parametrize(
    ("file", "settings", "words"),
    [
        ("own.csv", {"format": "ml-csv"}, "data.path: expected the folder of a data set with data"),
        ("own.txt", {}, "data.path: expected a table that ends in .csv, .tsv, .csv.gz, .tsv.gz, "),
        ("ratings.dat", {}, "ratings.dat'; ml-1m is read by the name of its folder, '"),
        ("own.csv", {"ingest": IngestConfig(min_rating=2.0)}, "own.csv: there is no rating column"),
        (
            "own.csv",
            {"ingest": IngestConfig(split="temporal")},
            "own.csv: there is no timestamp co",
        ),
    ],
)
def test_what_a_file_cannot_be_is_one_sentence(tmp_path, file, settings, words):
    (tmp_path / file).write_text("user,item\n1,2\n")
    with pytest.raises(UserError) as refused:
        inspect(tmp_path / file, **settings)
    assert words in str(refused.value)


def test_declared_columns_suit_no_known_layout(tmp_path):
    synthetic.write(tmp_path, "recbole", users=5, items=10)
    with pytest.raises(UserError, match=r"expected table with data\.columns, got 'recbole'"):
        inspect(tmp_path, columns=ColumnsConfig(user="user_id"))


def test_models_that_learn_ratings_need_some(tmp_path):
    (tmp_path / "own.csv").write_text("user,item\n1,2\n")
    raw = inspect(tmp_path / "own.csv")
    raw_data.check_ratings("own.csv", raw, "neumf", predicts_ratings=False)
    with pytest.raises(UserError, match=r"no rating column, and trainer\.model=rating learns"):
        raw_data.check_ratings("own.csv", raw, "rating", predicts_ratings=True)
