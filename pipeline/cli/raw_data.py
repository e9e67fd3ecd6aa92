"""Where the raw data of a run lie, what their layout is, and whether the settings suit them.

Nothing here imports the heavy libraries before they are needed, so that
mistakes are answered at once.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from components.columns import TableConfig
from pipeline.config import run as configuration
from pipeline.config.run import DataConfig
from pipeline.datasets import synthetic_config
from pipeline.uris import check_known, is_uri
from schema import features
from schema.atomic_write import files_of
from schema.errors import UserError
from schema.settings import check


@dataclasses.dataclass(frozen=True)
class RawData:
    """Hold what was found out about raw files.

    Attributes:
      folder: where they are, a path or a URI.
      format_name: their layout, the name of an adapter of components.formats.
      table: file and columns, of a table of one's own.
      columns: what interactions consist of: canonical name -> column.
    """

    folder: str
    format_name: str
    table: TableConfig
    columns: Mapping[str, str]

    def describe(self) -> str | None:
        """Say which columns are read; None where the layout says it."""
        if self.format_name != configuration.TABLE:
            return None
        from components.formats import column_roles

        return column_roles.describe(self.columns)


def locate(data: DataConfig) -> str:
    """Find the raw files; obtain published or generated data not here yet.

    Args:
      data: names a folder, a file or a dataset.

    Returns:
      An absolute path, or a URI as it was given.

    Raises:
      UserError: no such folder or file, or a dataset that cannot be obtained.
    """
    path, generated = data.path, data.synthetic is not None
    if generated and data.format not in (configuration.AUTO, synthetic_config.FORMAT):
        raise UserError(
            f"data.format: expected {configuration.AUTO} or {synthetic_config.FORMAT} with "
            f"generated data, got {data.format!r}."
        )
    if path is None or generated:
        from pipeline.datasets import published

        return published.obtain(str(path or data.dataset))
    if is_uri(path):
        return path
    if not os.path.exists(path):
        raise UserError(f"data.path: expected a folder with raw files, or a file, got {path!r}.")
    return os.path.abspath(path)


def inspect(data: DataConfig, path: str) -> RawData:
    """Find the layout of raw files, as configured or as their names and columns show it.

    The beginnings of the files are looked at too; for files on this machine no
    TensorFlow is loaded.

    Args:
      data: names the layout and the columns, or leaves them open.
      path: where the files are, as `locate` returns it.

    Returns:
      What was found.

    Raises:
      UserError: no layout or several fit, a file that begins wrong, settings that the
        data cannot meet, or a URI that is not known here.
    """
    from components import formats
    from components.example_gen.missing_columns import check_ingest

    check_known(path)
    files = files_of(path)
    folder, table = path, TableConfig(columns=data.columns)
    if files.exists(path) and not files.isdir(path):
        folder, file = os.path.split(path)
        table = table.replace(file=file)
        _check_file(data, folder, file)
    name: str = data.format
    if name == configuration.AUTO:
        name = formats.detect(folder, table)
    adapter = formats.get(name, table)
    adapter.check_beginnings(folder)
    columns = adapter.columns_read(folder)
    check_ingest(path, columns, data.ingest)
    return RawData(folder, adapter.name, table, columns)


def check_ratings(path: str, raw: RawData, model: str, predicts_ratings: bool) -> None:
    """Refuse to learn ratings from data without any.

    Args:
      path: the data, for the message.
      raw: what was found there.
      model: name of the model, for the message.
      predicts_ratings: whether it learns ratings.

    Raises:
      UserError: it does, and there are none.
    """
    check(
        not predicts_ratings or features.RATING in raw.columns,
        f"{path}: there is no rating column, and trainer.model={model} learns ratings; name the "
        "column with data.columns.rating, or take a model that ranks, such as two_tower.",
    )


def _check_file(data: DataConfig, folder: str, file: str) -> None:
    """Refuse a file that cannot be a table of one's own."""
    from components import formats

    if data.format not in (configuration.AUTO, configuration.TABLE):
        raise UserError(
            f"data.path: expected the folder of a data set with data.format={data.format}, got the "
            f"file {os.path.join(folder, file)!r}."
        )
    if not file.endswith(formats.SUFFIXES):
        layout = next((a.name for a in formats.FORMATS.values() if a.reads(file)), None)
        hint = f"; {layout} is read by the name of its folder, {folder!r}." if layout else "."
        raise UserError(
            f"data.path: expected a table that ends in {', '.join(formats.SUFFIXES)}, got "
            f"{os.path.join(folder, file)!r}{hint}"
        )
