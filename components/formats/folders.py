"""What lies in a data folder."""

from __future__ import annotations

from collections.abc import Collection

from schema.atomic_write import files_of
from schema.errors import UserError


def list_files(data_root: str) -> list[str]:
    """List the names in a data folder, sorted, without hidden ones.

    Args:
      data_root: a path or a URI.

    Returns:
      Names relative to the folder; a URI's folders lose their trailing slash.

    Raises:
      UserError: no such folder, or nothing in it.
    """
    files = files_of(data_root)
    if not files.isdir(data_root):
        what = "is not a folder" if files.exists(data_root) else "no such folder"
        raise UserError(f"{data_root}: {what}, expected the folder of a dataset's raw files.")
    names = sorted(n.rstrip("/") for n in files.listdir(data_root) if not n.startswith("."))
    if not names:
        raise UserError(f"{data_root}: the folder is empty, expected a dataset's raw files.")
    return names


def describe_names(names: Collection[str]) -> str:
    """Write the first few names for a message.

    Args:
      names: names of files, sorted.

    Returns:
      At most eight names and how many more there are.
    """
    shown = list(names)[:8]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more
