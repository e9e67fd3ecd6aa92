"""How much memory a process may use: the machine's, or less where a container says so.

Linux' documentation of control groups has the files: `memory.max` in version 2
(Documentation/admin-guide/cgroup-v2.rst), `memory.limit_in_bytes` in version 1
(Documentation/admin-guide/cgroup-v1/memory.rst).
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

_ROOT = pathlib.Path("/")


def usable_memory(root: pathlib.Path = _ROOT) -> int:
    """Find the least of the machine's memory and the limits of this process's groups.

    Args:
      root: where /proc and /sys are looked for.

    Returns:
      Bytes.
    """
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_limits(root)])


def _limits(root: pathlib.Path) -> Iterator[int]:
    """Yield the limits of the process's groups, and of those that these are in."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        # Seen from within a container its own group may be at the top, and the path is
        # the one that the machine has for it.
        group = pathlib.PurePosixPath(path.lstrip("/"))
        for place in (group, *group.parents):
            limit = _read(top / place / name).strip()
            # Version 2 writes "max" where there is none, version 1 more than any machine has.
            if limit.isdigit():
                yield int(limit)


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
