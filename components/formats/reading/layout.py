"""How the lines of an interactions file are laid out, and how one is split."""

from __future__ import annotations

import csv
import dataclasses
import sys
from collections.abc import Mapping

# Beyond this a double no longer holds every integer.
EXACT = float(2**53)

# The limit is against quotes that are never closed; what is split here is one line.
csv.field_size_limit(sys.maxsize)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Describe how the lines of an interactions file are laid out.

    Attributes:
      delimiter: one character, or "::".
      columns: the file's columns in order, as its users call them.
      roles: canonical name (user_id, item_id, rating, timestamp) -> column; only
        where the table is one's own may rating and timestamp be missing.
      quoted: whether fields may be in double quotes.
      headed: whether the file's first line names the columns.
      float_timestamps: whether timestamps may be written as decimal numbers;
        fractions of a second are cut off.
      own: whether the table is one's own: timestamps may be anything that
        components.formats.reading.timestamps reads, and blanks around ids do not
        count.
    """

    delimiter: str
    columns: tuple[str, ...]
    roles: Mapping[str, str]
    quoted: bool = False
    headed: bool = False
    float_timestamps: bool = False
    own: bool = False


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
            # A line end within: not what Arrow takes for a row either.
            return [text]
    return text.split(delimiter)
