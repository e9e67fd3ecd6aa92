"""Lines for whoever waits, on standard error, so that piped output stays clean."""

from __future__ import annotations

import sys

from schema.plain_text import printable


def tell(text: str) -> None:
    """Print a line under the component that is at work.

    Args:
      text: the line.
    """
    print(f"  {printable(text)}", file=sys.stderr, flush=True)
