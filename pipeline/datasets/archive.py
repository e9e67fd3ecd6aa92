"""Unpacking downloaded archives without trusting them."""

from __future__ import annotations

import pathlib
import stat
import zipfile
import zlib
from collections.abc import Callable

from schema.errors import UserError


def extract(
    archive: pathlib.Path,
    folder: pathlib.Path,
    wanted: Callable[[str], bool] = lambda name: True,
) -> list[pathlib.Path]:
    """Unpacks a zip file; all members are checked before any is written.

    Args:
      archive: the zip file.
      folder: where to; made when missing.
      wanted: chooses members by name.

    Returns:
      The files written.

    Raises:
      UserError: the archive is damaged, or a member would land outside of
        `folder` or is a link.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                _check_member(archive, member)
            folder.mkdir(parents=True, exist_ok=True)
            written = []
            for member in opened.infolist():
                if member.is_dir() or not wanted(member.filename):
                    continue
                written.append(pathlib.Path(opened.extract(member, folder)))
            return written
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f"{archive}: damaged or truncated archive ({error}).") from None


def _check_member(archive: pathlib.Path, member: zipfile.ZipInfo) -> None:
    path = pathlib.PurePosixPath(member.filename.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts
    if outside or stat.S_ISLNK(member.external_attr >> 16):
        raise UserError(
            f"{archive}: refused, its member {member.filename!r} would be written outside of "
            "the folder or is a link."
        )
