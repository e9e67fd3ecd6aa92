"""Formats: adapters from a dataset's raw files to canonical Arrow tables.

`FORMATS` maps every accepted name to its adapter, `get` looks one up, `detect`
recognizes a folder. A new layout is one module with a `Format` and one entry
here.
"""

from __future__ import annotations

import difflib
import os

from components.columns import TableConfig
from components.formats import base, folders
from components.formats.base import Format
from components.formats.ml_1m import Ml1m
from components.formats.ml_100k import Ml100k
from components.formats.ml_csv import MlCsv
from components.formats.ncf import Ncf
from components.formats.recbole import RecBole
from components.formats.table import SUFFIXES, Table
from schema.atomic_write import files_of
from schema.errors import UserError

__all__ = ["FORMATS", "SUFFIXES", "Format", "detect", "get"]

# Datasets of one layout share an adapter: whoever knows the dataset's name need
# not know what its layout is called.
_ML_CSV, _TABLE = MlCsv(), Table()
_NAMES: dict[Format, tuple[str, ...]] = {
    Ml100k(): ("ml-100k",),
    Ml1m(): ("ml-1m", "ml-10m"),
    _ML_CSV: ("ml-csv", "ml-20m", "ml-25m", "ml-32m", "ml-latest", "ml-latest-small"),
    Ncf(): ("ncf",),
    RecBole(): ("recbole",),
    _TABLE: ("table",),
}
FORMATS: dict[str, Format] = {name: adapter for adapter, names in _NAMES.items() for name in names}


def get(name: str, config: TableConfig = TableConfig()) -> Format:  # noqa: B008 - is frozen
    """Look up the adapter called `name`.

    Args:
      name: a key of FORMATS; a dataset's name stands for its layout.
      config: file and columns of a table of one's own.

    Returns:
      The adapter, whose own `name` is the layout's.

    Raises:
      UserError: no such format (the nearest is named), or settings that it has not.
    """
    if name not in FORMATS:
        close = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else "."
        raise UserError(f"Unknown format '{name}', expected one of {', '.join(FORMATS)}{hint}")
    adapter = FORMATS[name]
    return adapter if config == TableConfig() else adapter.configured(config)


def detect(data_root: str, config: TableConfig = TableConfig()) -> str:  # noqa: B008 - is frozen
    """Recognize the format of a data folder by its files' names.

    A table of one's own is what has no layout's names, and a ratings.csv whose
    columns are others than MovieLens' or are declared.

    Args:
      data_root: the folder, a path or a URI.
      config: file and columns of a table of one's own.

    Returns:
      The `name` of the one adapter whose required files are all there.

    Raises:
      UserError: no such folder, nothing in it, or none or several formats fit.
    """
    if config.file is not None:
        return _TABLE.name
    names = folders.list_files(data_root)
    known = [adapter for adapter in _NAMES if adapter is not _TABLE]
    fitting = [adapter.name for adapter in known if adapter.matches(names)]
    declared = config != TableConfig()
    if fitting == [_ML_CSV.name] and (declared or _lacks_columns(data_root)):
        fitting = []
    if not fitting and _TABLE.matches(names):
        return _TABLE.name
    if len(fitting) > 1:
        raise UserError(
            f"{data_root}: the files fit several formats, {' and '.join(fitting)}; name one."
        )
    if not fitting:
        expected = "; ".join(
            f"{' and '.join(sorted(adapter.files[role] for role in adapter.required))} "
            f"({adapter.name})"
            for adapter in _NAMES
        )
        raise UserError(
            f"{data_root}: no known format, found {folders.describe_names(names)}, "
            f"expected {expected}{_hint(data_root, names)}"
        )
    return fitting[0]


def _lacks_columns(data_root: str) -> bool:
    """Tell whether a ratings.csv is a table, but not MovieLens'."""
    (path,) = _ML_CSV.locate(data_root)[base.INTERACTIONS]
    try:
        _ML_CSV.read_header(base.INTERACTIONS, path)
    except UserError:
        return True
    return False


def _hint(data_root: str, names: list[str]) -> str:
    """Point at a folder inside, as unpacked archives have one."""
    for name in names:
        inner = os.path.join(data_root, name)
        files = files_of(inner)
        if files.isdir(inner):
            inside = files.listdir(inner)
            if any(adapter.matches(inside) for adapter in _NAMES):
                return f"; did you mean {inner}?"
    return "."
