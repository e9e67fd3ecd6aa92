"""Small files that are written only where they still hold what their writer read.

Of several that write the same file at once one succeeds, and the others are told:
on this machine by a lock of the operating system around the comparison, on gs:// by
the store, which compares generations. Other stores have no such question; there a
writer waits and looks whether what it wrote is still there, so that those who begin
within SETTLE_SECONDS of each other are told apart, and no others need be, as long as
the store shows within that time what was written to it.
"""

from __future__ import annotations

import abc
import contextlib
import errno
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

from schema import atomic_write
from schema.errors import UserError

# On stores that compare nothing.
SETTLE_SECONDS = 2.0


class Seen(NamedTuple):
    """Hold what a file held when it was read or written.

    Attributes:
      text: the content.
      version: by which the store knows this content from a later one.
    """

    text: str
    version: Any = None


class ConditionalFile(abc.ABC):
    """Read and write one file.

    Args:
      path: local or a URI; its folder exists unless it is a URI.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    @abc.abstractmethod
    def read(self) -> Seen | None:
        """Read it.

        Returns:
          What it holds; None when it does not exist.
        """

    @abc.abstractmethod
    def write(self, text: str, seen: Seen | None) -> Seen | None:
        """Write it if nobody else did.

        Args:
          text: the new content, which no two writers have alike.
          seen: what it must still hold; None where it must not exist.

        Returns:
          What it holds now; None when it held something else than `seen`.
        """

    @abc.abstractmethod
    def remove(self, seen: Seen) -> None:
        """Remove it if it still holds this.

        Args:
          seen: of `read` or `write`.
        """


def at(path: str) -> ConditionalFile:
    """Return the kind of file that a path names.

    Args:
      path: local or a URI.

    Returns:
      The file, there or not.
    """
    if "://" not in path:
        return _LocalFile(path)
    return _BucketObject(path) if path.startswith("gs://") else _PlainFile(path)


class _LocalFile(ConditionalFile):
    """A file of this machine; an empty one, which a killed writer may leave, counts as none."""

    def read(self) -> Seen | None:
        try:
            with self._locked(os.O_RDONLY, fcntl.LOCK_SH) as descriptor:
                return _content(descriptor)
        except FileNotFoundError:
            return None

    def write(self, text: str, seen: Seen | None) -> Seen | None:
        with self._locked(os.O_RDWR | os.O_CREAT) as descriptor:
            if _content(descriptor) != seen:
                return None
            data = text.encode()
            os.pwrite(descriptor, data, 0)
            os.ftruncate(descriptor, len(data))
        return Seen(text)

    def remove(self, seen: Seen) -> None:
        with contextlib.suppress(FileNotFoundError), self._locked(os.O_RDWR) as descriptor:
            if _content(descriptor) == seen:
                os.unlink(self._path)

    @contextlib.contextmanager
    def _locked(self, flags: int, kind: int = fcntl.LOCK_EX) -> Iterator[int]:
        while True:
            descriptor = os.open(self._path, flags, 0o644)
            try:
                self._lock(descriptor, kind)
                if self._is(descriptor):
                    yield descriptor
                    return
            finally:
                os.close(descriptor)

    def _is(self, descriptor: int) -> bool:
        """Tell whether whoever had the lock before has left the file where it was."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _lock(self, descriptor: int, kind: int) -> None:
        try:
            fcntl.flock(descriptor, kind)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
            raise UserError(
                f"{self._path}: expected a file system that locks files ({error.strerror})."
            ) from None


def _content(descriptor: int) -> Seen | None:
    data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    return Seen(data.decode(errors="replace")) if data else None


class _BucketObject(ConditionalFile):
    """An object of Google's storage, whose version is its generation.

    TensorFlow's client sets no conditions, so this is Google's own, which Beam uses too.
    """

    def __init__(self, path: str) -> None:
        from google.cloud import storage  # type: ignore[import-untyped]

        super().__init__(path)
        bucket, _, self._name = path.removeprefix("gs://").partition("/")
        # Objects belong to no project.
        self._bucket = storage.Client(project=None).bucket(bucket)

    def read(self) -> Seen | None:
        from google.api_core import exceptions

        while True:
            blob = self._bucket.get_blob(self._name)
            if blob is None:
                return None
            # It may be written anew between the two requests.
            with contextlib.suppress(exceptions.NotFound, exceptions.PreconditionFailed):
                data = blob.download_as_bytes(if_generation_match=blob.generation)
                return Seen(data.decode(errors="replace"), blob.generation)

    def write(self, text: str, seen: Seen | None) -> Seen | None:
        from google.api_core import exceptions

        blob = self._bucket.blob(self._name)
        try:
            # Generation 0 is that of an object that does not exist.
            blob.upload_from_string(text, if_generation_match=seen.version if seen else 0)
        except exceptions.PreconditionFailed:
            return None
        return Seen(text, blob.generation)

    def remove(self, seen: Seen) -> None:
        from google.api_core import exceptions

        with contextlib.suppress(exceptions.NotFound, exceptions.PreconditionFailed):
            self._bucket.blob(self._name).delete(if_generation_match=seen.version)


class _PlainFile(ConditionalFile):
    """A file behind a URI whose store compares nothing."""

    def read(self) -> Seen | None:
        files = atomic_write.files_of(self._path)
        if not files.exists(self._path):
            return None
        with files.open(self._path, "rb") as file:
            return Seen(file.read().decode(errors="replace"))

    def write(self, text: str, seen: Seen | None) -> Seen | None:
        if self.read() != seen:
            return None
        # Two who write at once must not meet in one unfinished file.
        at = f"{self._path}-{uuid.uuid4().hex}"
        files = atomic_write.files_of(self._path)
        with atomic_write.file(self._path, at), files.open(at, "wb") as stream:
            stream.write(text.encode())
        time.sleep(SETTLE_SECONDS)
        return Seen(text) if self.read() == Seen(text) else None

    def remove(self, seen: Seen) -> None:
        if self.read() == seen:
            atomic_write.files_of(self._path).remove(self._path)
