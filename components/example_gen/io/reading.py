"""From raw files to parsed tables: line-aligned byte ranges that any worker can read.

`executor` plans the ranges while it builds its graph; `parse` runs on workers.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import pyarrow as pa
from tfx.dsl.io import fileio

from components import formats
from components.formats import base
from schema.atomic_write import files_of
from schema.errors import UserError

_BLOCK = 1 << 12


class Version(NamedTuple):
    """Tell one state of a file from the next.

    Attributes:
      size: in bytes.
      modified: nanoseconds since 1970.
    """

    size: int
    modified: int

    def __str__(self) -> str:
        moment = datetime.datetime.fromtimestamp(self.modified / 1e9, datetime.timezone.utc)
        return f"{self.size} bytes of {moment:%Y-%m-%d %H:%M:%S} UTC"


@dataclasses.dataclass(frozen=True)
class FileRange:
    """Hold the lines that begin within a range of a file's bytes.

    Attributes:
      role: what the file is for; one of components.formats.base's roles.
      path: the file.
      header: its first line.
      start: first byte of the range.
      end: byte after the range.
      version: of the whole file, before anything was read of it.
    """

    role: str
    path: str
    header: bytes
    start: int
    end: int
    version: Version


def plan(
    format_name: str, data_root: str, roles: Collection[str], range_bytes: int
) -> list[FileRange]:
    """Locate a dataset's files and cut them into ranges.

    Args:
      format_name: of the layout.
      data_root: the data folder, a path or a URI.
      roles: those to read; roles without a file are left out.
      range_bytes: the longest range.

    Returns:
      Ranges that cover the files.

    Raises:
      UserError: a missing, empty or header-only file, or a missing column.
    """
    layout = formats.get(format_name)
    ranges = []
    for role, path in layout.locate(data_root).items():
        if role in roles:
            version = _version(path)
            header = layout.read_header(role, path)
            ranges += [
                FileRange(
                    role, path, header, start, min(start + range_bytes, version.size), version
                )
                for start in range(0, version.size, range_bytes)
            ]
    return ranges


def check_unchanged(ranges: Iterable[FileRange]) -> None:
    """Refuse files of which one part was read before a change and another after it.

    Args:
      ranges: of `plan`, read to the end.

    Raises:
      UserError: a file was changed, replaced or removed since.
    """
    for path, before in {source.path: source.version for source in ranges}.items():
        after = _version(path) if fileio.exists(path) else None
        if after != before:
            raise UserError(
                f"{path}: expected a file that stays as it is while it is read, got "
                f"{before} at first and {after or 'no file'} at the end; start again when nobody "
                f"writes it any more."
            )


def _version(path: str) -> Version:
    found = files_of(path).stat(path)
    if isinstance(found, os.stat_result):
        # TensorFlow, which answers for URIs, has no more than the second of local files.
        return Version(found.st_size, found.st_mtime_ns)
    return Version(found.length, found.mtime_nsec)


def parse(format_name: str, source: FileRange) -> pa.Table | None:
    """Read and parse a range.

    Args:
      format_name: of the layout.
      source: what to read.

    Returns:
      The canonical table of the range's role; None where no line begins in it.

    Raises:
      UserError: a line that cannot be read, with file and line.
    """
    chunk = read_lines(source)
    if chunk is None:
        return None
    return formats.get(format_name).parse(source.role, chunk, source.header)


def read_lines(source: FileRange) -> base.Chunk | None:
    """Read the whole lines that begin within a range.

    Args:
      source: what to read.

    Returns:
      The lines; None where none begins in the range.
    """
    # The byte before the range tells whether a line begins at its start.
    before = 1 if source.start else 0
    with fileio.open(source.path, "rb") as file:
        file.seek(source.start - before)
        data = file.read(source.end - source.start + before)
        skip = data.find(b"\n") + 1 if before else 0
        if (before and skip == 0) or skip >= len(data):
            return None
        data = data[skip:] + (b"" if data.endswith(b"\n") else _rest_of_line(file))
    return base.Chunk(source.path, source.start - before + skip, data)


def _rest_of_line(file: Any) -> bytes:
    """Read up to a line's end, or the file's; `readline` would drop carriage returns."""
    blocks = []
    while block := file.read(_BLOCK):
        end = block.find(b"\n") + 1
        blocks.append(block[:end] if end else block)
        if end:
            break
    return b"".join(blocks)
