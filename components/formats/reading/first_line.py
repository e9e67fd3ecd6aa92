"""The first line of a file, and what can be told of the file by it."""

from __future__ import annotations

from components.formats.reading.files import open_bytes, packing
from components.formats.reading.lines import shown
from schema.errors import UserError

# How much of a file's beginning is looked at; a first line is shorter.
BLOCK = 1 << 20
# A line that goes on for so long has no end.
LONGEST_LINE = 16 << 20


def read_first_line(path: str, what: str, headed: bool) -> bytes:
    """Read the first line of a text file, which has to be text and to have rows.

    Args:
      path: a path or a URI.
      what: the rows that are expected, for messages.
      headed: whether the line names columns, so that rows come after it.

    Returns:
      The line without its end.

    Raises:
      UserError: the file is empty, is no text, has only a header, or a line that
        does not end.
    """
    with open_bytes(path) as file:
        block = file.read(BLOCK)
        first, end, rest = block.partition(b"\n")
        rest = rest or file.read(BLOCK)
    if not first.strip():
        state = "line 1 is blank" if rest.strip() else "the file is empty"
        raise UserError(f"{path}: {state}, expected {what}.")
    if packed := packing(first):
        raise UserError(f"{path}, line 1: begins as {packed} does, expected {what} as text.")
    if b"\0" in first:
        # SQLite, UTF-16 and the like; csv would say it in words of its own.
        raise UserError(f"{path}, line 1: a NUL byte, expected {what} as text.")
    if not end and rest:
        begin = shown(first.decode("utf-8", errors="replace"))
        raise UserError(f"{path}, line 1: no line end within {BLOCK} bytes, got {begin}.")
    if headed and b"\r" in first.rstrip(b"\r"):
        raise UserError(
            f"{path}, line 1: a carriage return within, expected lines that end in \\n."
        )
    if headed and not rest.strip():
        raise UserError(f"{path}: only a header line, expected {what} after it.")
    return first.rstrip(b"\r")
