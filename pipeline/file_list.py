"""Lists of the files that a folder has, by which one that lost some is told from a whole one.

A cache folder may be copied, cleaned up or cut short by a full disk; what was in
it is then made again.
"""

from __future__ import annotations

import json
import pathlib

from schema import atomic_write


def beside(folder: pathlib.Path) -> pathlib.Path:
    """Name the list of a folder in which readers take every file for theirs.

    Args:
      folder: such as an artifact's.
    """
    return folder.with_name(f".{folder.name}.json")


def write(folder: pathlib.Path, at: pathlib.Path) -> None:
    """Write down which files a folder has, and how large they are.

    Args:
      folder: all of whose files are there.
      at: the list; may lie in the folder.
    """
    atomic_write.write(str(at), json.dumps(_sizes(folder, at), indent=2))


def lost(folder: pathlib.Path, at: pathlib.Path) -> list[str] | None:
    """Find what a folder lost of the files that were written down.

    Args:
      folder: which need not exist.
      at: the list.

    Returns:
      Files below the folder that are not there, or not of the size that they had;
      None where there is no list that can be read. What came later is no loss.
    """
    try:
        expected = json.loads(at.read_bytes())
        found = _sizes(folder, at)
        return [name for name, size in expected.items() if found.get(name) != size]
    except (OSError, ValueError, AttributeError):
        return None


def _sizes(folder: pathlib.Path, at: pathlib.Path) -> dict[str, int]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != at)
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
