"""Completes and checks the canonical columns of interactions, whatever file they come from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.formats.reading import timestamps
from components.formats.reading.chunk import Chunk
from components.formats.reading.schemas import INTERACTIONS_SCHEMA
from schema import features

IDS = (features.USER_ID, features.ITEM_ID)
ID_TYPE = INTERACTIONS_SCHEMA.field(features.USER_ID).type
# Bytes of an id: whatever is longer is no id but a quote that was never closed, or a text.
LONGEST_ID = 4096
# Of an interaction where there are no ratings.
IMPLICIT_RATING = 1.0
# Places within one file lie below it; two to the 23 files have room in an int64.
_FILE = 1 << 40


def has_ids(table: pa.Table) -> bool:
    """Tell whether no id is empty.

    Args:
      table: ids are dictionaries, in one chunk at the most.
    """
    return not any(pc.any(pc.equal(names, "")).as_py() for names in _dictionaries(table))


def has_short_ids(table: pa.Table) -> bool:
    """Tell whether no id is longer than LONGEST_ID bytes; see `has_ids`."""
    return all(
        (pc.max(pc.binary_length(names)).as_py() or 0) <= LONGEST_ID
        for names in _dictionaries(table)
    )


def trim_ids(table: pa.Table) -> pa.Table:
    """Take the blanks around ids off.

    Args:
      table: see `has_ids`.

    Returns:
      The table; each dictionary has each id once.
    """
    for position, name in enumerate(table.column_names):
        if name in IDS and table.num_rows:
            column = table.column(name).chunk(0)
            trimmed = pc.utf8_trim_whitespace(column.dictionary)
            if not trimmed.equals(column.dictionary):
                ids = trimmed.take(column.indices).dictionary_encode()
                table = table.set_column(position, name, ids)
    return table


def has_ratings(table: pa.Table) -> bool:
    """Tell whether each rating is there and finite."""
    rating = table.column(features.RATING)
    return rating.null_count == 0 and bool(np.isfinite(rating.to_numpy()).all())


def complete(table: pa.Table, places: np.ndarray) -> pa.Table:
    """Add what the file has no column for.

    Args:
      table: some of the canonical columns.
      places: of the rows, int64 [rows]; stand for timestamps.

    Returns:
      A table of INTERACTIONS_SCHEMA.
    """
    if features.RATING not in table.column_names:
        ones = np.full(table.num_rows, IMPLICIT_RATING, np.float32)
        table = table.append_column(features.RATING, pa.array(ones))
    if features.TIMESTAMP not in table.column_names:
        table = table.append_column(features.TIMESTAMP, pa.array(places))
    return table.select(INTERACTIONS_SCHEMA.names)


def seconds(values: pa.Array) -> pa.Array | None:
    """Turn a column of whole numbers or text into seconds since 1970.

    Args:
      values: integers or strings [N] without nulls.

    Returns:
      int64 [N]; None where a text is no point in time.
    """
    if pa.types.is_integer(values.type):
        return pa.array(timestamps.from_numbers(values.cast(pa.int64()).to_numpy()))
    return timestamps.from_text(values)


def line_places(chunk: Chunk, headed: bool) -> np.ndarray:
    """Give numbers to the lines of a chunk that are not blank, in the order of files and lines.

    Args:
      chunk: the lines.
      headed: whether the file's first line names its columns.

    Returns:
      Where each line begins in its file, all lines of a file after those of the
      file before; int64 [lines]. It does not depend on where the file is cut.
    """
    data = np.frombuffer(chunk.data, np.uint8)
    starts = np.concatenate([[0], np.flatnonzero(data == ord("\n")) + 1])
    starts = starts[int(headed and chunk.offset == 0) :]
    starts = starts[starts < len(data)]
    first = data[starts]
    second = data[np.minimum(starts + 1, len(data) - 1)]
    at_end = (second == ord("\n")) | (starts == len(data) - 1)
    blank = (first == ord("\n")) | ((first == ord("\r")) & at_end)
    return row_places(chunk.file_number, chunk.offset) + starts[~blank]


def row_places(file_number: int, first: int) -> int:
    """Give a number to a row of a file, in the order of files and rows.

    Args:
      file_number: of the file among those of its table.
      first: place of the row within the file.

    Returns:
      The number.
    """
    return file_number * _FILE + first


def _dictionaries(table: pa.Table) -> list[pa.Array]:
    columns = [table.column(name) for name in IDS]
    return [column.chunk(0).dictionary for column in columns if column.num_chunks]
