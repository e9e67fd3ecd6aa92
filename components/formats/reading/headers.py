"""Header lines: names of columns, and the ones that must be there."""

from __future__ import annotations

from collections.abc import Iterable

from components.formats.reading.layout import split_fields
from schema.errors import UserError

# Of the names in a message; what is no table may have a first line of megabytes.
_SHOWN = 200
_BOM = b"\xef\xbb\xbf"


def column_names(header: bytes, delimiter: str, quoted: bool, typed: bool) -> tuple[str, ...]:
    """Read the columns that a header line names.

    Args:
      header: the file's first line.
      delimiter: one character.
      quoted: whether names may be in double quotes.
      typed: whether names carry a type, as in "user_id:token".

    Returns:
      The names in order, types and blanks around them taken off.
    """
    text = header.removeprefix(_BOM).decode("utf-8", errors="replace")
    names = split_fields(text, delimiter, quoted)
    return tuple((name.partition(":")[0] if typed else name).strip() for name in names)


def require_columns(path: str, names: tuple[str, ...], required: Iterable[str]) -> None:
    """Refuse a file whose header lacks a column or names it twice.

    Args:
      path: the file, for the message.
      names: its columns.
      required: those that must be there.

    Raises:
      UserError: naming the first such column and the columns found.
    """
    for column in required:
        if names.count(column) != 1:
            state = "no column" if column not in names else "more than one column"
            found = describe_columns(names)
            raise UserError(f"{path}, line 1: {state} '{column}', found {found}.")


def describe_columns(names: Iterable[str]) -> str:
    """Write the columns of a file for a message.

    Args:
      names: what they are called.

    Returns:
      The names, cut off where they are many or long.
    """
    found = ", ".join(names)
    return found if len(found) <= _SHOWN else f"{found[:_SHOWN]} and more"
