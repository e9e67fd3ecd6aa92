"""A mark in a folder of obtained data that tells that all of it is there.

A cache folder may be copied, cleaned up or cut short by a full disk; what was
obtained by name is then obtained again.
"""

from __future__ import annotations

import json
import pathlib

from schema import atomic_write

# No layout has a file of this name, and patterns such as "*.dat" pass over it.
MARK = ".complete.json"


def mark(folder: pathlib.Path) -> None:
    """Write down which files a folder has, and how large they are.

    Args:
      folder: all of whose files are there.
    """
    atomic_write.write(str(folder / MARK), json.dumps(_sizes(folder), indent=2))


def is_complete(folder: pathlib.Path) -> bool:
    """Tell whether a folder has the files that its mark names, none of them cut short.

    Args:
      folder: which need not exist.

    Returns:
      False where there is no mark, too.
    """
    try:
        expected = json.loads((folder / MARK).read_bytes())
    except (OSError, ValueError):
        return False
    found = _sizes(folder)
    # Whoever looks at a folder may leave a file there.
    return isinstance(expected, dict) and expected.items() <= found.items()


def _sizes(folder: pathlib.Path) -> dict[str, int]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MARK)
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
