"""A table of one's own: delimited text or Parquet, in one file or several.

Columns are found by their names or as they are declared; docs/own-data.md
describes what is read. A row is one interaction.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import ClassVar

import pyarrow as pa

from components.columns import TableConfig
from components.formats import base, column_roles
from components.formats.folders import describe_names, list_files
from components.formats.reading import parquet
from components.formats.reading.chunk import Chunk
from components.formats.reading.delimited import read_interactions
from components.formats.reading.files import PARQUET, open_bytes
from components.formats.reading.first_line import BLOCK, LONGEST_LINE
from components.formats.reading.headers import column_names
from components.formats.reading.item_rows import read_items
from components.formats.reading.layout import Layout
from components.formats.reading.lines import shown
from schema.atomic_write import files_of
from schema.errors import UserError

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", PARQUET)
# Of a folder, by what they are packed in.
_PATTERNS = {
    base.INTERACTIONS: "*.[ct]sv",
    "interactions in gzip": "*.[ct]sv.gz",
    "interactions in Parquet": "*.parquet",
}
# Beside the table; the users' files of other layouts are of no use here.
ITEMS = ("items.csv", "movies.csv")
_OTHERS = (*ITEMS, "users.csv", "links.csv", "tags.csv")
_DELIMITERS = (",", ";", "\t")


class Table(base.Format):
    """Read a table of one's own.

    Args:
      config: the file, where it is one, and the columns.
    """

    name = "table"
    files: ClassVar[Mapping[str, str]] = {base.INTERACTIONS: "*.csv, *.tsv or *.parquet"}
    headed = True

    def __init__(self, config: TableConfig = TableConfig()) -> None:  # noqa: B008 - is frozen
        self._config = config

    def configured(self, config: TableConfig) -> Table:
        """See Format."""
        return Table(config)

    def matches(self, names: Collection[str]) -> bool:
        """Tell whether a folder has files that may be a table.

        Args:
          names: names of the files in the folder.

        Returns:
          Whether there is any besides those of items.
        """
        return bool(_tables(names))

    def patterns(self) -> dict[str, str]:
        """See Format; those of interactions match the items' files too."""
        if self._config.file is not None:
            return {base.INTERACTIONS: re.sub(r"([*?[])", r"[\1]", self._config.file)}
        return {**_PATTERNS, **{f"{base.ITEMS} in {name}": name for name in ITEMS}}

    def locate(self, data_root: str) -> dict[str, list[str]]:
        """Find the files of the table, in the order of the numbers in their names.

        Args:
          data_root: the folder, a path or a URI.

        Returns:
          Role -> whole paths.

        Raises:
          UserError: there are none, or some of unlike kinds.
        """
        if self._config.file is not None:
            return {base.INTERACTIONS: [os.path.join(data_root, self._config.file)]}
        names = list_files(data_root)
        files = files_of(data_root)
        folders = [n for n in _tables(names) if files.isdir(os.path.join(data_root, n))]
        tables = [name for name in _tables(names) if name not in folders]
        if not tables:
            inner = "".join(f"; did you mean {os.path.join(data_root, n)}?" for n in folders[:1])
            raise UserError(
                f"{data_root}: format 'table' needs a file {self.files[base.INTERACTIONS]}, "
                f"found {describe_names(names)}{inner or '.'}"
            )
        kinds = {_suffix(name): name for name in reversed(tables)}
        if len(kinds) > 1:
            raise UserError(
                f"{data_root}: {' and '.join(sorted(kinds.values()))} are unlike files, expected "
                "the parts of one table; name one file."
            )
        items = [name for name in ITEMS if name in names]
        if len(items) > 1:
            raise UserError(
                f"{data_root}: expected one file of items, found {' and '.join(items)}."
            )
        found = {
            base.INTERACTIONS: [os.path.join(data_root, n) for n in sorted(tables, key=_order)]
        }
        return found | ({base.ITEMS: [os.path.join(data_root, items[0])]} if items else {})

    def first_line(self, role: str, path: str) -> bytes:
        """See Format; of Parquet it is the columns' names as JSON, and there may be no rows."""
        if not path.endswith(PARQUET):
            return super().first_line(role, path)
        with parquet.open_parquet(path) as file:
            return json.dumps(file.schema_arrow.names).encode()

    def check_header(self, role: str, path: str, header: bytes) -> None:
        """See Format."""
        if role == base.ITEMS:
            _item_columns(path, header)
        else:
            self._roles(path, header)

    def check_beginnings(self, data_root: str) -> None:
        """See Format; the first rows are parsed too."""
        located = self.locate(data_root)
        for path in located.get(base.ITEMS, []):
            self.read_header(base.ITEMS, path)
        self.columns_read(data_root)
        paths = located[base.INTERACTIONS]
        first, header = paths[0], self.read_header(base.INTERACTIONS, paths[0])
        if not first.endswith(PARQUET):
            self.parse(base.INTERACTIONS, _first_lines(first), header)
        elif not any(sum(parquet.row_groups(path)) for path in paths):
            raise UserError(f"{first}: no rows, expected {base.INTERACTIONS}.")
        else:
            next(self.read_rows(first, header, 0, 1), None)

    def columns_read(self, data_root: str) -> dict[str, str]:
        """See Format; all files must have the same columns."""
        first, *others = self.locate(data_root)[base.INTERACTIONS]
        header = self.first_line(base.INTERACTIONS, first)
        names = sorted(_names(first, header))
        for path in others:
            if sorted(_names(path, self.first_line(base.INTERACTIONS, path))) != names:
                raise UserError(
                    f"{data_root}: {os.path.basename(first)} and {os.path.basename(path)} have "
                    "unlike columns, expected the parts of one table; name one file."
                )
        return self._roles(first, header)

    def parse_interactions(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format."""
        delimiter, names = _text_columns(chunk.path, header)
        return read_interactions(
            chunk,
            Layout(
                delimiter=delimiter,
                columns=names,
                roles=self._roles(chunk.path, header),
                quoted=True,
                headed=True,
                own=True,
            ),
        )

    def read_rows(
        self, path: str, header: bytes, start: int, end: int, file_number: int = 0
    ) -> Iterator[pa.Table]:
        """See Format."""
        roles = self._roles(path, header)
        for rows in parquet.read_rows(path, list(roles.values()), start, end, file_number):
            yield parquet.parse_rows(rows, roles)

    def parse_items(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format; title and genres may be missing."""
        delimiter, names = _text_columns(chunk.path, header)
        return read_items(chunk, delimiter, names, _item_columns(chunk.path, header))

    def _roles(self, path: str, header: bytes) -> dict[str, str]:
        where = path if path.endswith(PARQUET) else f"{path}, line 1"
        return column_roles.resolve(where, _names(path, header), self._config.columns)


def _first_lines(path: str) -> Chunk:
    with open_bytes(path) as file:
        block = file.read(BLOCK)
        whole = block.rfind(b"\n") + 1 if len(block) == BLOCK else len(block)
        more = file.read(LONGEST_LINE)
    if len(more) == LONGEST_LINE and b"\n" not in more:
        Chunk(path, whole, block[whole:]).fail(1, f"no line end within {LONGEST_LINE} bytes")
    return Chunk(path, 0, block[:whole])


def _tables(names: Collection[str]) -> list[str]:
    """List the files of a folder that may be parts of a table."""
    found = [name for pattern in _PATTERNS.values() for name in fnmatch.filter(names, pattern)]
    return [name for name in found if name not in _OTHERS and not name.startswith("_")]


def _suffix(name: str) -> str:
    return next(suffix for suffix in reversed(SUFFIXES) if name.endswith(suffix))


def _order(name: str) -> list[tuple[int, str]]:
    """Sort by the numbers in a name: part-2 before part-10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part[:18]), part) if part.isdecimal() else (-1, part) for part in parts]


def _names(path: str, header: bytes) -> tuple[str, ...]:
    if path.endswith(PARQUET):
        return tuple(json.loads(header))
    return _text_columns(path, header)[1]


def _text_columns(path: str, header: bytes) -> tuple[str, tuple[str, ...]]:
    """Find the delimiter that cuts a header into most columns, and the columns."""
    cut = {it: column_names(header, it, quoted=True, typed=False) for it in _DELIMITERS}
    delimiter = max(cut, key=lambda it: len(cut[it]))
    if len(cut[delimiter]) == 1:
        raise UserError(
            f"{path}, line 1: expected the names of columns with commas, semicolons or tabs "
            f"between them, got {shown(cut[delimiter][0])}."
        )
    return delimiter, cut[delimiter]


def _item_columns(path: str, header: bytes) -> dict[str, str]:
    _, names = _text_columns(path, header)
    return column_roles.resolve_items(f"{path}, line 1", names)
