"""Line by line reading of the small files: users, items, candidates."""

from __future__ import annotations

import re
from collections.abc import Iterator

from components.formats.reading.chunk import Chunk
from components.formats.reading.headers import describe_columns

# Characters of a value that a message quotes.
_SHOWN = 60
_BOM = b"\xef\xbb\xbf"
_WHOLE_NUMBER = re.compile(r"\d{1,9}(\.0*)?")


def iterate(chunk: Chunk, headed: bool) -> Iterator[tuple[int, bytes]]:
    """Iterate over the lines of a chunk that hold something, without header, BOM and line ends.

    Args:
      chunk: the lines.
      headed: whether the file's first line names its columns.

    Yields:
      Number within the chunk, 1 for its first line, and the line.
    """
    for number, line in enumerate(chunk.data.split(b"\n"), start=1):
        if number == 1 and chunk.offset == 0:
            if headed:
                continue
            line = line.removeprefix(_BOM)
        line = line.removesuffix(b"\r")
        if line:
            yield number, line


def decode(chunk: Chunk, number: int, line: bytes, legacy: bool = False) -> str:
    """Decode the text of one line.

    Args:
      chunk: where the line is from.
      number: its number within the chunk, for the message.
      line: its bytes.
      legacy: whether a line that is not UTF-8 is ISO-8859-1, as in the sets
        from before ML-10M. Decided for each line, since ML-10M and re-encoded
        copies of the older sets are UTF-8; accented Latin text is practically
        never valid UTF-8 by accident.

    Returns:
      The text.

    Raises:
      UserError: a byte that is not in the encoding, or a NUL byte.
    """
    if b"\0" in line:
        chunk.fail(number, "a NUL byte, expected text")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        if legacy:
            return line.decode("iso-8859-1")
        wrong = line[error.start]
        chunk.fail(number, f"byte 0x{wrong:02x} at position {error.start + 1} is not UTF-8")


def whole_number(chunk: Chunk, number: int, name: str, text: str) -> int | None:
    """Parse an optional whole number such as an age or a year.

    Args:
      chunk: where the line is from.
      number: the line's number within the chunk, for the message.
      name: the field's name, for the message.
      text: the field; "24" or "24.0".

    Returns:
      The number, or None where the field is empty.

    Raises:
      UserError: anything else.
    """
    text = text.strip()
    if not text:
        return None
    if not _WHOLE_NUMBER.fullmatch(text):
        chunk.fail(number, f"{name} is {shown(text)}, expected a whole number")
    return int(text.partition(".")[0])


def shown(text: str) -> str:
    """Quote a value for a message.

    Args:
      text: the value, which may be megabytes.

    Returns:
      Its beginning, on one line.
    """
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r} and more"


def expect_fields(chunk: Chunk, number: int, fields: list[str], names: tuple[str, ...]) -> None:
    """Refuse a line that is too short or too long.

    Args:
      chunk: where the line is from.
      number: the line's number within the chunk.
      fields: what it holds.
      names: what it should hold.

    Raises:
      UserError: the numbers differ.
    """
    if len(fields) != len(names):
        few = names if len(names) <= 8 else (f"{names[0]} to {names[-1]}",)
        found = f"expected {len(names)} fields ({describe_columns(few)}), got {len(fields)}"
        chunk.fail(number, found)
