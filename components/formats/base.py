"""What every format adapter offers: roles of files, canonical tables, `Format`.

A format turns the raw files of a dataset into canonical Arrow tables; whatever
comes after knows nothing of layouts. The two example generators locate a
role's file with `Format.locate`, check its beginning once with
`Format.read_header`, cut it into `Chunk`s of whole lines and hand each chunk to
the role's `parse_*` method; chunks are independent of each other, so they can be
parsed on any worker.
"""

from __future__ import annotations

import abc
import fnmatch
import os
from collections.abc import Collection, Iterator, Mapping
from typing import ClassVar

import pyarrow as pa

from components.columns import TableConfig
from components.formats.folders import describe_names, list_files
from components.formats.reading.chunk import Chunk
from components.formats.reading.first_line import read_first_line
from components.formats.reading.schemas import INTERACTIONS_SCHEMA
from schema.errors import UserError

# Roles of files.
INTERACTIONS = "interactions"
HELD_OUT = "held_out"
CANDIDATES = "candidates"
USERS = "users"
ITEMS = "items"

_PARSERS = {
    INTERACTIONS: "parse_interactions",
    HELD_OUT: "parse_interactions",
    CANDIDATES: "parse_candidates",
    USERS: "parse_users",
    ITEMS: "parse_items",
}


class Format(abc.ABC):
    """Read one dataset layout into canonical tables.

    Attributes:
      name: what a configuration calls the format.
      files: glob of each role's file, relative to the data folder.
      required: roles without which a folder is not of this format.
      headed: whether each file's first line names its columns.
    """

    name: ClassVar[str]
    files: ClassVar[Mapping[str, str]]
    required: ClassVar[frozenset[str]] = frozenset({INTERACTIONS})
    headed: ClassVar[bool] = False

    def matches(self, names: Collection[str]) -> bool:
        """Tell whether a folder looks like this format.

        Args:
          names: names of the files in the folder.

        Returns:
          Whether every required role has a file.
        """
        return all(fnmatch.filter(names, self.files[role]) for role in self.required)

    def reads(self, name: str) -> bool:
        """Tell whether a file is one of this format's by its name."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.files.values())

    def configured(self, config: TableConfig) -> Format:
        """Return the format as the settings of a table want it.

        Args:
          config: a file and columns of one's own.

        Returns:
          The format; only the layout `table` has other settings than the defaults.

        Raises:
          UserError: settings that mean nothing to this layout.
        """
        if config != TableConfig():
            given = "a file" if config.columns == TableConfig().columns else "data.columns"
            raise UserError(
                f"data.format: expected table with {given}, got {self.name!r}, a folder whose "
                "columns are known."
            )
        return self

    def patterns(self) -> dict[str, str]:
        """Return globs of the files, relative to the data folder, that may be read.

        Returns:
          Key -> glob; the key is a role, with " in ..." after it where a role has
          several.
        """
        return dict(self.files)

    def columns_read(self, data_root: str) -> dict[str, str]:
        """Tell what interactions consist of.

        Args:
          data_root: the data folder, a path or a URI.

        Returns:
          Canonical name -> column; see components.formats.reading.canonical for what is missing.

        Raises:
          UserError: see `locate` and `read_header`.
        """
        return {name: name for name in INTERACTIONS_SCHEMA.names}

    def locate(self, data_root: str) -> dict[str, list[str]]:
        """Find the files of each role.

        Args:
          data_root: the data folder, a path or a URI.

        Returns:
          Role -> whole paths, for the roles that have files; one a role, and in
          the order of their rows where there are several.

        Raises:
          UserError: no such folder, a required file is missing, or one role has
            several files.
        """
        names = list_files(data_root)
        found = {}
        for role, glob in self.files.items():
            matching = sorted(fnmatch.filter(names, glob))
            if len(matching) > 1:
                raise UserError(
                    f"{data_root}: expected one file like {glob} for format '{self.name}', "
                    f"found {', '.join(matching)}."
                )
            if matching:
                found[role] = [os.path.join(data_root, matching[0])]
            elif role in self.required:
                raise UserError(
                    f"{data_root}: format '{self.name}' needs a file {glob}, "
                    f"found {describe_names(names)}."
                )
        return found

    def read_header(self, role: str, path: str) -> bytes:
        """Read a file's first line and check what can be checked at the start.

        Args:
          role: what the file is for.
          path: the file.

        Returns:
          The first line without its line end; what `parse_*` takes as `header`.

        Raises:
          UserError: the file is empty, is no text, has only a header or one without
            an end, or lacks a column.
        """
        header = self.first_line(role, path)
        self.check_header(role, path, header)
        return header

    def first_line(self, role: str, path: str) -> bytes:
        """Read a file's first line, whatever columns it names; see `read_header`."""
        return read_first_line(path, role.replace("_", " "), self.headed)

    def check_beginnings(self, data_root: str) -> None:
        """Refuse a folder with a file that begins wrong; reads next to nothing.

        Args:
          data_root: the data folder, a path or a URI.

        Raises:
          UserError: as of `locate` and `read_header`; without headers, a first line
            that cannot be read.
        """
        for role, paths in self.locate(data_root).items():
            for path in paths:
                header = self.read_header(role, path)
                if not self.headed:
                    self.parse(role, Chunk(path, 0, header), header)

    def parse(self, role: str, chunk: Chunk, header: bytes) -> pa.Table:
        """Parse a chunk of the file that has a role.

        Args:
          role: what the file is for.
          chunk: see `parse_interactions`.
          header: see `parse_interactions`.

        Returns:
          The role's canonical table.

        Raises:
          UserError: a line that cannot be read, with file and line.
        """
        table: pa.Table = getattr(self, _PARSERS[role])(chunk, header)
        return table

    def read_rows(
        self, path: str, header: bytes, start: int, end: int, file_number: int = 0
    ) -> Iterator[pa.Table]:
        """Read interactions from a Parquet file, in the file's order.

        Args:
          path: the file, a path or a URI.
          header: what `read_header` returned.
          start: first row of a range, from 0; row groups that begin in it are read.
          end: row after the range.
          file_number: of the file among those of its role, from 0.

        Yields:
          Tables as of `parse_interactions`.

        Raises:
          UserError: a value that cannot be read, with file and row.
        """
        raise NotImplementedError(f"format '{self.name}' has no Parquet files")

    def check_header(self, role: str, path: str, header: bytes) -> None:  # noqa: B027
        """Refuse a header that lacks a column; formats without headers accept all.

        Args:
          role: what the file is for.
          path: the file, for messages.
          header: its first line.

        Raises:
          UserError: naming the missing column and those found.
        """

    @abc.abstractmethod
    def parse_interactions(self, chunk: Chunk, header: bytes) -> pa.Table:
        """Parse a chunk of an interactions or held-out file, in file order.

        Args:
          chunk: whole lines; at offset 0 its first line is the file's first.
          header: the file's first line, as `read_header` returns it.

        Returns:
          A table of INTERACTIONS_SCHEMA without nulls.

        Raises:
          UserError: a line or value that cannot be read, with file and line.
        """

    def parse_candidates(self, chunk: Chunk, header: bytes) -> pa.Table:
        """Parse the negatives that the dataset brings for each user.

        Args:
          chunk: see `parse_interactions`.
          header: see `parse_interactions`.

        Returns:
          A table of CANDIDATES_SCHEMA, a row a user; the target that the row
          was drawn for is never among its candidates.

        Raises:
          UserError: a line that cannot be read, with file and line.
        """
        raise NotImplementedError(f"format '{self.name}' has no candidates")

    def parse_users(self, chunk: Chunk, header: bytes) -> pa.Table:
        """Parse user features.

        Args:
          chunk: see `parse_interactions`.
          header: see `parse_interactions`.

        Returns:
          A table with those columns of USERS_SCHEMA that the dataset has; all
          but the user id may be null.

        Raises:
          UserError: a line that cannot be read, with file and line.
        """
        raise NotImplementedError(f"format '{self.name}' has no users")

    def parse_items(self, chunk: Chunk, header: bytes) -> pa.Table:
        """Parse titles, genres and years of items.

        Args:
          chunk: see `parse_interactions`.
          header: see `parse_interactions`.

        Returns:
          A table of ITEMS_SCHEMA; title and year may be null, genres may be
          empty.

        Raises:
          UserError: a line that cannot be read, with file and line.
        """
        raise NotImplementedError(f"format '{self.name}' has no items")
