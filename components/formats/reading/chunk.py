"""Consecutive lines of a raw file, and how to name one of them to the user."""

from __future__ import annotations

import dataclasses
from typing import NoReturn

from components.formats.reading.files import open_bytes
from schema.errors import UserError

_BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Hold consecutive whole lines of one file.

    Attributes:
      path: the file, for messages.
      offset: where `data` begins in the file, in (unpacked) bytes; 0 at the file's start,
        whose first line is the header when the format has one.
      data: the lines' bytes, line ends included (the file's last line may lack
        its own).
      file_number: of the file among those of its table, from 0.
    """

    path: str
    offset: int
    data: bytes
    file_number: int = 0

    def line_number(self, relative_line: int) -> int:
        """Count a line's number in the whole file; this reads the file up to `offset`.

        Args:
          relative_line: 1 for the first line of `data`.

        Returns:
          The line's number in the file, 1 for the first.
        """
        before = 0
        left = self.offset
        if left:
            with open_bytes(self.path) as file:
                while left > 0:
                    block = file.read(min(_BLOCK, left))
                    if not block:
                        break
                    before += block.count(b"\n")
                    left -= len(block)
        return before + relative_line

    def fail(self, relative_line: int, problem: str) -> NoReturn:
        """Raise the UserError "<path>, line <n>: <problem>".

        Args:
          relative_line: 1 for the first line of `data`.
          problem: what was received and what was expected, without a full stop.

        Raises:
          UserError: always.
        """
        raise UserError(f"{self.path}, line {self.line_number(relative_line)}: {problem}.")
