"""Opens raw files, packed or not, and tells by their names what is in them."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Any

from schema.atomic_write import files_of
from schema.errors import UserError

GZIP = ".gz"
PARQUET = ".parquet"
# What packed and binary files begin with.
_MAGIC = {b"\x1f\x8b": "gzip", b"PAR1": "Parquet", b"PK\x03\x04": "a zip archive"}


class _Seekable(io.RawIOBase):
    """Give TensorFlow's files what Arrow asks of a file.

    Args:
      file: open for reading bytes.
    """

    def __init__(self, file: Any) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, see io.IOBase."""
        self._file.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        """Return the place in bytes."""
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, see io.RawIOBase."""
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def packing(begin: bytes) -> str | None:
    """Name what a file is whose first bytes tell that it is no text.

    Args:
      begin: the first bytes.

    Returns:
      Such as "gzip"; None where they tell nothing.
    """
    return next((name for magic, name in _MAGIC.items() if begin.startswith(magic)), None)


@contextlib.contextmanager
def open_bytes(path: str) -> Iterator[Any]:
    """Open a text file's bytes, unpacked where its name ends in .gz.

    Args:
      path: a path or a URI.

    Yields:
      What has `read(size)`; and `seek` where it is not packed.

    Raises:
      UserError: it cannot be read or unpacked, also within the block.
    """
    with _open(path) as file:
        if not path.endswith(GZIP):
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(f"{path}: cannot be unpacked as gzip ({error}).") from None


@contextlib.contextmanager
def open_seekable(path: str) -> Iterator[Any]:
    """Open a file for Arrow, which goes back and forth in it.

    Args:
      path: a path or a URI.

    Yields:
      A file object.

    Raises:
      UserError: it cannot be read.
    """
    with _open(path) as file:
        yield file if isinstance(file, io.IOBase) else io.BufferedReader(_Seekable(file))


def _open(path: str) -> Any:
    try:
        return files_of(path).open(path, "rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
