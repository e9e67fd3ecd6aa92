"""Items in delimited text with a header: id, title with its year, genres."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from components.formats.reading.chunk import Chunk
from components.formats.reading.layout import split_fields
from components.formats.reading.lines import decode, expect_fields, iterate
from components.formats.reading.schemas import ITEMS_SCHEMA
from components.formats.reading.titles import split_genres, split_title
from schema import features


def read_items(
    chunk: Chunk, delimiter: str, names: tuple[str, ...], roles: Mapping[str, str]
) -> pa.Table:
    """Parse whole lines of an items file; genres have `|` between them.

    Args:
      chunk: the lines; the file's first line names its columns.
      delimiter: one character.
      names: the file's columns in order.
      roles: canonical name (item_id, title, genres) -> column; without a title it is
        null, without genres they are empty.

    Returns:
      A table of ITEMS_SCHEMA.

    Raises:
      UserError: a line that cannot be read, by number.
    """
    at = {role: names.index(name) for role, name in roles.items()}
    rows = []
    for number, line in iterate(chunk, headed=True):
        fields = split_fields(decode(chunk, number, line), delimiter, quoted=True)
        expect_fields(chunk, number, fields, names)
        values = {role: fields[index] for role, index in at.items()}
        item = values[features.ITEM_ID].strip()
        if not item:
            chunk.fail(number, f"{roles[features.ITEM_ID]} is empty, expected an id")
        title, year = split_title(values.get(features.TITLE, ""))
        rows.append(
            {
                features.ITEM_ID: item,
                features.TITLE: title,
                features.GENRES: split_genres(values.get(features.GENRES, "")),
                features.YEAR: year,
            }
        )
    return pa.Table.from_pylist(rows, ITEMS_SCHEMA)
