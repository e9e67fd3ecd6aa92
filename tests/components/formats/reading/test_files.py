"""Files as TensorFlow opens them, for URIs, are as good as this machine's own."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tfx.dsl.io.plugins.tensorflow_gfile import TensorflowFilesystem

from components import formats
from components.columns import TableConfig
from components.formats import base
from components.formats.reading import files, parquet
from schema.errors import UserError


@pytest.fixture
def _by_tensorflow(monkeypatch):
    monkeypatch.setattr(files, "files_of", lambda path: TensorflowFilesystem)


@pytest.mark.usefixtures("_by_tensorflow")
def test_parquet_and_gzip_are_read_through_tensorflows_files(tmp_path):
    path = tmp_path / "own.parquet"
    pq.write_table(pa.table({"user": ["u"] * 9, "item": range(9)}), path, 4)
    (rows,) = parquet.read_rows(str(path), ["item"], 5, 9)
    assert rows.first == 8
    assert rows.batch.column(0).to_pylist() == [8]
    (tmp_path / "own.csv.gz").write_bytes(gzip.compress(b"user,item\na,b\n"))
    layout = formats.get("table", TableConfig(file="own.csv.gz"))
    layout.check_beginnings(str(tmp_path))
    with files.open_bytes(str(tmp_path / "own.csv.gz")) as file:
        assert file.read(13) == b"user,item\na,b"
    header = layout.read_header(base.INTERACTIONS, str(tmp_path / "own.csv.gz"))
    assert header == b"user,item"


def test_what_cannot_be_opened_is_one_sentence(tmp_path):
    (tmp_path / "own.csv").mkdir()
    sentence = r"^.*/own\.csv: cannot be read \(Is a directory\)\.$"
    with pytest.raises(UserError, match=sentence), files.open_bytes(str(tmp_path / "own.csv")):
        pass
