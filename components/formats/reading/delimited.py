"""Interactions in delimited text, read with Arrow.

Every format's interactions file is lines of delimited fields, so the adapters
only describe the columns (`Layout`) and call `read_interactions`. Arrow parses
millions of lines a second but names no line of the file; when it refuses a
chunk, or the values fail a check, a second pass in Python (`blame`) finds the
first bad line and words the sentence.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from components.formats.reading import canonical
from components.formats.reading.blame import blame
from components.formats.reading.chunk import Chunk
from components.formats.reading.layout import EXACT, Layout, split_fields
from components.formats.reading.lines import iterate
from components.formats.reading.schemas import INTERACTIONS_SCHEMA
from schema import features
from schema.errors import UserError

_INTEGER = re.compile(r"[ \t]*-?\d{1,18}[ \t]*", re.ASCII)


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
            checked = None
            if _is_a_row_a_line(chunk, layout, table):
                checked = _own(chunk, layout, table) if layout.own else _canonical(table)
            if checked is not None:
                return checked
            problem = "has a value out of range"
    if blame(chunk, layout) == 0:
        return INTERACTIONS_SCHEMA.empty_table()
    # Arrow was stricter than our own reading of the lines.
    raise UserError(f"{chunk.path}: cannot be parsed, {problem}.")


def _parse(chunk: Chunk, layout: Layout) -> pa.Table:
    time = pa.float64() if layout.float_timestamps else pa.int64()
    if layout.own and features.TIMESTAMP in layout.roles:
        if not _begins_with_integer(chunk, layout):
            return _read(chunk, layout, pa.string())
        try:
            return _read(chunk, layout, time)
        except pa.ArrowInvalid:
            # Numbers and dates may stand in one file: where it is cut must decide nothing.
            return _read(chunk, layout, pa.string())
    return _read(chunk, layout, time)


def _begins_with_integer(chunk: Chunk, layout: Layout) -> bool:
    """Tell whether the first timestamp is a whole number, as the others are then, most likely."""
    at = layout.columns.index(layout.roles[features.TIMESTAMP])
    for _, line in iterate(chunk, layout.headed):
        text = line.decode("utf-8", errors="replace")
        fields = split_fields(text, layout.delimiter, layout.quoted)
        return len(fields) > at and _INTEGER.fullmatch(fields[at]) is not None
    return True


def _read(chunk: Chunk, layout: Layout, time: pa.DataType) -> pa.Table:
    doubled = layout.delimiter == "::"
    names, types = _arrow_columns(layout, doubled, time)
    # Not read_csv: on Python 3.10 its signal handling walks the whole heap, 30 ms
    # and more a call once TFX is loaded; the streaming reader has none.
    reader = pa_csv.open_csv(
        pa.BufferReader(_arrow_memory(chunk.data)),
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
    return reader.read_all().select([n for n in INTERACTIONS_SCHEMA.names if n in layout.roles])


def _arrow_memory(data: bytes) -> pa.Buffer:
    """Copy bytes to where Arrow's threads can let go of them without Python's lock.

    After a refusal one of them may do so while the process ends, which aborts it.
    """
    memory = pa.allocate_buffer(len(data))
    np.frombuffer(memory, np.uint8)[:] = np.frombuffer(data, np.uint8)
    return memory


def _arrow_columns(
    layout: Layout, doubled: bool, time: pa.DataType
) -> tuple[list[str], dict[str, pa.DataType]]:
    """Name all columns for Arrow, and the types of those to convert."""
    types = {
        features.USER_ID: canonical.ID_TYPE,
        features.ITEM_ID: canonical.ID_TYPE,
        features.RATING: pa.float32(),
        features.TIMESTAMP: time,
    }
    types = {role: kind for role, kind in types.items() if role in layout.roles}
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


def _is_a_row_a_line(chunk: Chunk, layout: Layout, table: pa.Table) -> bool:
    """Tell whether Arrow's rows are the lines.

    It also ends a row at a carriage return, and not at a line end in quotes; a file that is
    cut at its line ends would give other rows then, and a quote that stays open takes rows away.
    """
    lone_returns = chunk.data.count(b"\r") - chunk.data.count(b"\r\n")
    if lone_returns > chunk.data.endswith(b"\r"):
        return False
    if not layout.quoted or b'"' not in chunk.data:
        return True
    return len(canonical.line_places(chunk, layout.headed)) == table.num_rows


def _canonical(table: pa.Table) -> pa.Table | None:
    """Check that ids are there and numbers are numbers, as Arrow does not; None where not."""
    time = table.column(features.TIMESTAMP)
    if not canonical.has_ids(table) or not canonical.has_ratings(table) or time.null_count:
        return None
    if pa.types.is_integer(time.type):
        return table
    if not (np.abs(time.to_numpy()) < EXACT).all():
        return None
    return _with_timestamps(table, pc.cast(pc.trunc(time), pa.int64()))


def _own(chunk: Chunk, layout: Layout, table: pa.Table) -> pa.Table | None:
    """Check and complete a table of one's own; None where something is wrong."""
    places = canonical.line_places(chunk, layout.headed)
    if table.num_rows == 0:
        return INTERACTIONS_SCHEMA.empty_table()
    table = canonical.trim_ids(table)
    if not canonical.has_ids(table) or not canonical.has_short_ids(table):
        return None
    if features.RATING in layout.roles and not canonical.has_ratings(table):
        return None
    if features.TIMESTAMP in layout.roles:
        seconds = canonical.seconds(table.column(features.TIMESTAMP).combine_chunks())
        if seconds is None:
            return None
        table = _with_timestamps(table, seconds)
    return canonical.complete(table, places)


def _with_timestamps(table: pa.Table, seconds: pa.Array | pa.ChunkedArray) -> pa.Table:
    position = table.schema.get_field_index(features.TIMESTAMP)
    return table.set_column(position, features.TIMESTAMP, seconds)
