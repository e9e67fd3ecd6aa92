"""Formats: adapters from a dataset's raw files to canonical Arrow tables.

`FORMATS` maps every accepted name to its adapter, `get` looks one up, `detect`
recognizes a folder. A new layout is one module with a `Format` and one entry
here.
"""

from __future__ import annotations

import difflib
import os

from components.formats import folders
from components.formats.base import Format
from components.formats.ml_1m import Ml1m
from components.formats.ml_100k import Ml100k
from components.formats.ml_csv import MlCsv
from components.formats.ncf import Ncf
from components.formats.recbole import RecBole
from schema.atomic_write import files_of
from schema.errors import UserError

__all__ = ["FORMATS", "Format", "detect", "get"]

# Datasets of one layout share an adapter: whoever knows the dataset's name need
# not know what its layout is called.
_NAMES: dict[Format, tuple[str, ...]] = {
    Ml100k(): ("ml-100k",),
    Ml1m(): ("ml-1m", "ml-10m"),
    MlCsv(): ("ml-csv", "ml-20m", "ml-25m", "ml-32m", "ml-latest", "ml-latest-small"),
    Ncf(): ("ncf",),
    RecBole(): ("recbole",),
}
FORMATS: dict[str, Format] = {name: adapter for adapter, names in _NAMES.items() for name in names}


def get(name: str) -> Format:
    """Look up the adapter called `name`.

    Args:
      name: a key of FORMATS; a dataset's name stands for its layout.

    Returns:
      The adapter, whose own `name` is the layout's.

    Raises:
      UserError: no such format; the nearest is named.
    """
    if name not in FORMATS:
        close = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else "."
        raise UserError(f"Unknown format '{name}', expected one of {', '.join(FORMATS)}{hint}")
    return FORMATS[name]


def detect(data_root: str) -> str:
    """Recognize the format of a data folder by its files' names.

    Args:
      data_root: the folder, a path or a URI.

    Returns:
      The `name` of the one adapter whose required files are all there.

    Raises:
      UserError: no such folder, nothing in it, or none or several formats fit.
    """
    names = folders.list_files(data_root)
    fitting = [adapter.name for adapter in _NAMES if adapter.matches(names)]
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
