"""From raw files to parsed tables: ranges of a file that any worker can read.

Of text they are line-aligned bytes, of Parquet groups of rows; a packed text is
one range, read from its beginning. `executor` plans the ranges while it builds
its graph; `parse` runs on workers, and has a few megabytes in memory at once.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import os
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from tfx.dsl.io import fileio

from components.formats import base
from components.formats.base import Format
from components.formats.reading import parquet
from components.formats.reading.files import GZIP, PARQUET, open_bytes
from components.formats.reading.first_line import LONGEST_LINE
from schema.atomic_write import files_of
from schema.errors import UserError

_BLOCK = 1 << 16
# About as many bytes of text are a row of Parquet, and a byte of gzip.
_ROW_BYTES, _GZIP_BYTES = 24, 4


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
    """Hold the lines or rows that begin within a range of a file.

    Attributes:
      role: what the file is for; one of components.formats.base's roles.
      path: the file.
      header: its first line, or what its format has in its place.
      start: first byte (of Parquet: row) of the range.
      end: byte (row) after the range.
      version: of the whole file, before anything was read of it.
      file_number: of the file among those of its role, from 0.
    """

    role: str
    path: str
    header: bytes
    start: int
    end: int
    version: Version
    file_number: int = 0

    @property
    def text_bytes(self) -> int:
        """About how many bytes the range has as text."""
        scale = 1
        if self.path.endswith(PARQUET):
            scale = _ROW_BYTES
        elif self.path.endswith(GZIP):
            scale = _GZIP_BYTES
        return scale * (self.end - self.start)


def plan(
    layout: Format, data_root: str, roles: Collection[str], range_bytes: int
) -> list[FileRange]:
    """Locate a dataset's files and cut them into ranges.

    Args:
      layout: the format.
      data_root: the data folder, a path or a URI.
      roles: those to read; roles without a file are left out.
      range_bytes: the longest range.

    Returns:
      Ranges that cover the files.

    Raises:
      UserError: a missing, empty or header-only file, or a missing column.
    """
    ranges = []
    for role, paths in layout.locate(data_root).items():
        for number, path in enumerate(paths if role in roles else ()):
            version = _version(path)
            header = layout.read_header(role, path)
            cuts = _cuts(path, version.size, range_bytes)
            ranges += [
                FileRange(role, path, header, start, end, version, number)
                for start, end in itertools.pairwise(cuts)
            ]
    return ranges


def _cuts(path: str, size: int, range_bytes: int) -> list[int]:
    """Say where the ranges of a file begin and where the last one ends."""
    if path.endswith(PARQUET):
        ends = np.cumsum([0, *parquet.row_groups(path)])
        # Small groups go together.
        part = ends * _ROW_BYTES // range_bytes
        first = np.append(True, part[1:] != part[:-1])
        return [*ends[:-1][first[:-1]].tolist(), int(ends[-1])]
    step = size if path.endswith(GZIP) else range_bytes
    return [*range(0, size, step), size]


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


def parse(layout: Format, source: FileRange, block_bytes: int = 16 << 20) -> Iterator[pa.Table]:
    """Read and parse a range.

    Args:
      layout: the format.
      source: what to read.
      block_bytes: how much of a packed text is unpacked at once.

    Yields:
      Canonical tables of the range's role; none where no line begins in it.

    Raises:
      UserError: a line that cannot be read, with file and line.
    """
    if source.path.endswith(PARQUET):
        yield from layout.read_rows(
            source.path, source.header, source.start, source.end, source.file_number
        )
        return
    packed = source.path.endswith(GZIP)
    for chunk in _unpack(source, block_bytes) if packed else [read_lines(source)]:
        if chunk is not None:
            yield layout.parse(source.role, chunk, source.header)


def _unpack(source: FileRange, block_bytes: int) -> Iterator[base.Chunk]:
    """Cut a packed text into chunks of whole lines."""
    offset, rest = 0, b""
    with open_bytes(source.path) as file:
        while block := file.read(block_bytes):
            data = rest + block
            end = data.rfind(b"\n") + 1
            if end:
                yield base.Chunk(source.path, offset, data[:end], source.file_number)
            offset, rest = offset + end, data[end:]
            _check_length(source.path, offset, rest)
    if rest:
        yield base.Chunk(source.path, offset, rest, source.file_number)


def _check_length(path: str, offset: int, line: bytes) -> None:
    """Refuse a line that does not end, before it fills the memory."""
    if len(line) > LONGEST_LINE:
        base.Chunk(path, offset, line).fail(1, f"no line end within {LONGEST_LINE} bytes")


def read_lines(source: FileRange) -> base.Chunk | None:
    """Read the whole lines that begin within a range.

    Args:
      source: what to read.

    Returns:
      The lines; None where none begins in the range.
    """
    # The byte before the range tells whether a line begins at its start.
    before = 1 if source.start else 0
    with open_bytes(source.path) as file:
        file.seek(source.start - before)
        data = file.read(source.end - source.start + before)
        skip = data.find(b"\n") + 1 if before else 0
        if (before and skip == 0) or skip >= len(data):
            return None
        offset, data = source.start - before + skip, data[skip:]
        if not data.endswith(b"\n"):
            data += _rest_of_line(file, source.path, offset + data.rfind(b"\n") + 1)
    return base.Chunk(source.path, offset, data, source.file_number)


def _rest_of_line(file: Any, path: str, offset: int) -> bytes:
    """Read up to a line's end, or the file's; `readline` would drop carriage returns."""
    rest = b""
    while block := file.read(_BLOCK):
        end = block.find(b"\n") + 1
        rest += block[:end] if end else block
        if end:
            break
        _check_length(path, offset, rest)
    return rest
