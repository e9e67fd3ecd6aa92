"""From raw files to parsed tables: line-aligned byte ranges that any worker can read.

`executor` plans the ranges while it builds its graph; `parse` runs on workers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

import pyarrow as pa
from tfx.dsl.io import fileio

from components import formats
from components.formats import base

_BLOCK = 1 << 12


@dataclasses.dataclass(frozen=True)
class FileRange:
    """Hold the lines that begin within a range of a file's bytes.

    Attributes:
      role: what the file is for; one of components.formats.base's roles.
      path: the file.
      header: its first line.
      start: first byte of the range.
      end: byte after the range.
    """

    role: str
    path: str
    header: bytes
    start: int
    end: int


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
            header = layout.read_header(role, path)
            size = fileio.stat(path).length
            ranges += [
                FileRange(role, path, header, start, min(start + range_bytes, size))
                for start in range(0, size, range_bytes)
            ]
    return ranges


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
