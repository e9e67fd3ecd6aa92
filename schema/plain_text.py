"""Text from data and other machines, fit for a terminal.

A terminal obeys what stands between a text's letters: titles, ids and the headers
of files could move its cursor, change its title or hide what was printed before.
"""

from __future__ import annotations

import re

# C0, DEL and C1; what ends a line or turns its direction; halves of UTF-16 pairs, which
# cannot be encoded.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Replace what is no printed character by its escape, such as \x1b.

    Args:
      text: one line.

    Returns:
      A line that says the same and does nothing.
    """
    return _CONTROL.sub(lambda found: escaped(found[0]), text)


def escaped(character: str) -> str:
    r"""Write a character as its escape, such as \x1b.

    Args:
      character: one.
    """
    return character.encode("unicode_escape").decode("ascii")
