"""The processes that this one has started, and those that they have."""

from __future__ import annotations

import contextlib
import os
import pathlib


def descendants() -> list[int]:
    """List the ids of the running processes that stem from this one.

    Returns:
      Ids, children before their own; none where there is no /proc.
    """
    children: dict[int, list[int]] = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        # The name, in parentheses, may hold anything.
        with contextlib.suppress(OSError, ValueError):
            _, parent, *_ = status.read_text(errors="replace").rpartition(")")[2].split()
            children.setdefault(int(parent), []).append(int(status.parent.name))
    found = [os.getpid()]
    for process in found:
        found += children.get(process, [])
    return found[1:]
