"""Unpacking downloaded archives without trusting them."""

from __future__ import annotations

import pathlib
import stat
import zipfile
import zlib
from collections.abc import Callable

from schema.errors import UserError

# Unpacked bytes per packed byte; the published archives have less than 10.
_MOST_GROWTH = 20


def extract(
    archive: pathlib.Path,
    folder: pathlib.Path,
    wanted: Callable[[str], bool] = lambda name: True,
) -> list[pathlib.Path]:
    """Unpack a zip file; all members are checked before any is written.

    Args:
      archive: the zip file.
      folder: where to; made when missing.
      wanted: chooses members by name.

    Returns:
      The files written.

    Raises:
      UserError: the archive is damaged, a member would land outside of `folder`
        or is a link, or they would take far more room than the archive.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                _check_member(archive, member)
            files = [it for it in opened.infolist() if not it.is_dir() and wanted(it.filename)]
            # No more is read of a member than it says to hold.
            size, most = sum(it.file_size for it in files), archive.stat().st_size * _MOST_GROWTH
            if size > most:
                raise UserError(
                    f"{archive}: refused, it would unpack to {size} bytes, expected {most} at most."
                )
            folder.mkdir(parents=True, exist_ok=True)
            return [pathlib.Path(opened.extract(member, folder)) for member in files]
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
