"""Interactions in delimited text, read with Arrow: fast path and blame.

Every format's interactions file is lines of delimited fields, so the adapters
only describe the columns (`Layout`) and call `read_interactions`. Arrow parses
millions of lines a second but names no line of the file; when it refuses a
chunk, or the values fail a check, a second pass in Python finds the first bad
line and words the sentence.
"""

from __future__ import annotations

import csv
import dataclasses
import math
import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from components.formats.base import INTERACTIONS_SCHEMA
from components.formats.chunk import Chunk
from components.formats.lines import decode, iterate
from schema import features
from schema.errors import UserError

_ID_TYPE = pa.dictionary(pa.int32(), pa.string())
# Numbers as Arrow 10 reads them.
_NUMBER = re.compile(r"[ \t]*-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t]*", re.ASCII)
_INTEGER = re.compile(r"[ \t]*-?\d+[ \t]*", re.ASCII)
# Beyond this a double no longer holds every integer.
_EXACT = float(2**53)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Describe how the lines of an interactions file are laid out.

    Attributes:
      delimiter: one character, or "::".
      columns: the file's columns in order, as its users call them.
      roles: canonical name (user_id, item_id, rating, timestamp) -> column.
      quoted: whether fields may be in double quotes.
      headed: whether the file's first line names the columns.
      float_timestamps: whether timestamps may be written as decimal numbers;
        fractions of a second are cut off.
    """

    delimiter: str
    columns: tuple[str, ...]
    roles: Mapping[str, str]
    quoted: bool = False
    headed: bool = False
    float_timestamps: bool = False


def read_interactions(chunk: Chunk, layout: Layout) -> pa.Table:
    """Parse whole lines of interactions, in file order; blank lines do not count.

    Args:
      chunk: the lines.
      layout: what they look like.

    Returns:
      A table of INTERACTIONS_SCHEMA in one Arrow chunk (none where there is no line).

    Raises:
      UserError: the first line that is not as `layout` says, by number.
    """
    problem = "contains a NUL byte"
    if b"\0" not in chunk.data:
        try:
            table = _parse(chunk, layout)
        except pa.ArrowInvalid as error:
            problem = " ".join(str(error).split())
        else:
            if _is_sound(table):
                return _canonical(table)
            problem = "has a value out of range"
    if _blame(chunk, layout) == 0:
        return INTERACTIONS_SCHEMA.empty_table()
    # Arrow was stricter than our own reading of the lines.
    raise UserError(f"{chunk.path}: cannot be parsed, {problem}.")


def _parse(chunk: Chunk, layout: Layout) -> pa.Table:
    doubled = layout.delimiter == "::"
    names, types = _arrow_columns(layout, doubled)
    # Not read_csv: on Python 3.10 its signal handling walks the whole heap, 30 ms
    # and more a call once TFX is loaded; the streaming reader has none.
    reader = pa_csv.open_csv(
        pa.BufferReader(chunk.data),
        read_options=pa_csv.ReadOptions(
            column_names=names,
            # One block, so one dictionary a column.
            block_size=len(chunk.data) + 1,
            skip_rows=int(layout.headed and chunk.offset == 0),
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=":" if doubled else layout.delimiter,
            # Arrow's parser is faster where it need not look for quotes.
            quote_char='"' if layout.quoted and b'"' in chunk.data else False,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=[""] if doubled else [],
            strings_can_be_null=False,
        ),
    )
    return reader.read_all().select(INTERACTIONS_SCHEMA.names)


def _arrow_columns(layout: Layout, doubled: bool) -> tuple[list[str], dict[str, pa.DataType]]:
    """Name all columns for Arrow, and the types of those to convert."""
    time = pa.float64() if layout.float_timestamps else pa.int64()
    types = {
        features.USER_ID: _ID_TYPE,
        features.ITEM_ID: _ID_TYPE,
        features.RATING: pa.float32(),
        features.TIMESTAMP: time,
    }
    # Columns that nobody asked for are split off, but not converted.
    names = [f"unread {index}" for index in range(len(layout.columns))]
    for role, column in layout.roles.items():
        names[layout.columns.index(column)] = role
    if doubled:
        # Arrow knows delimiters of one byte. At ":" every second column of a "::"
        # file is empty, which the null type enforces; a third faster than to
        # replace the delimiter first.
        gaps = [f"gap {index}" for index in range(len(names) - 1)]
        types.update((gap, pa.null()) for gap in gaps)
        names = [n for pair in zip(names, [*gaps, ""], strict=True) for n in pair][:-1]
    return names, types


def _is_sound(table: pa.Table) -> bool:
    """Check that ids are there and numbers are numbers, as Arrow does not."""
    for name in (features.USER_ID, features.ITEM_ID):
        column = table.column(name)
        if column.num_chunks and pc.any(pc.equal(column.chunk(0).dictionary, "")).as_py():
            return False
    rating = table.column(features.RATING)
    time = table.column(features.TIMESTAMP)
    if rating.null_count or time.null_count:
        return False
    if not np.isfinite(rating.to_numpy()).all():
        return False
    return pa.types.is_integer(time.type) or bool((np.abs(time.to_numpy()) < _EXACT).all())


def _canonical(table: pa.Table) -> pa.Table:
    time = table.column(features.TIMESTAMP)
    if not pa.types.is_integer(time.type):
        position = table.schema.get_field_index(features.TIMESTAMP)
        whole = pc.cast(pc.trunc(time), pa.int64())
        table = table.set_column(position, features.TIMESTAMP, whole)
    return table


def _blame(chunk: Chunk, layout: Layout) -> int:
    """Raise for the first bad line; return the number of lines when all are good."""
    roles = {role: layout.columns.index(column) for role, column in layout.roles.items()}
    count = 0
    for line, raw in iterate(chunk, layout.headed):
        count += 1
        text = decode(chunk, line, raw)
        fields = split_fields(text, layout.delimiter, layout.quoted)
        if len(fields) != len(layout.columns):
            chunk.fail(
                line,
                f"expected {len(layout.columns)} fields ({', '.join(layout.columns)}), "
                f"got {len(fields)}",
            )
        for role, index in roles.items():
            _check(chunk, line, layout, role, fields[index])
    return count


def _check(chunk: Chunk, line: int, layout: Layout, role: str, value: str) -> None:
    name = layout.roles[role]
    if role in (features.USER_ID, features.ITEM_ID):
        if not value:
            chunk.fail(line, f"{name} is empty, expected an id")
        return
    if role == features.TIMESTAMP and not layout.float_timestamps:
        if not _INTEGER.fullmatch(value) or not -(2**63) <= int(value) < 2**63:
            chunk.fail(line, f"{name} is {value!r}, expected whole seconds")
        return
    limit = _EXACT if role == features.TIMESTAMP else float(np.finfo(np.float32).max)
    number = float(value) if _NUMBER.fullmatch(value) else math.nan
    # Also false for nan.
    if not abs(number) <= limit:
        chunk.fail(line, f"{name} is {value!r}, expected a finite number")


def split_fields(text: str, delimiter: str, quoted: bool) -> list[str]:
    """Split one line the way Arrow's parser does.

    Args:
      text: the line without its end.
      delimiter: of any length; one character where `quoted`.
      quoted: whether fields may be in double quotes, with "" for a quote.

    Returns:
      The fields, quotes taken off.
    """
    if quoted and '"' in text:
        try:
            return next(csv.reader([text], delimiter=delimiter))
        except csv.Error:
            # A field of megabytes, a line end within: not what Arrow takes for a row either.
            return [text]
    return text.split(delimiter)
