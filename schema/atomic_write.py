"""Files and folders that appear whole or not at all, on this machine or behind a URI.

What is written lies beside its place, under a name that readers pass over, until
it is complete. On this machine it is then renamed, with what it holds on the disk
before and its new name after, so that a loss of power leaves no empty file under a
good name. A store behind a URI knows no folders and copies a file that is renamed:
there a folder's files go one by one, and a SavedModel's graph, without which nobody
loads it, is the last.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

from schema.keys import SAVED_MODEL_FILE

# Model servers look for folders named by a number.
UNFINISHED = ".unfinished-"
_SYNCS_AT_ONCE = 4


def unfinished(path: str) -> str:
    """Return where a file or folder lies as long as it is not whole.

    Args:
      path: of the file or folder, local or a URI.

    Returns:
      A path in the same folder.
    """
    folder, name = os.path.split(path.rstrip("/"))
    return os.path.join(folder, f"{UNFINISHED}{name}")


def write(path: str, text: str) -> None:
    """Write a text file that has the old content until it has all of the new.

    Args:
      path: local or a URI; its folder exists.
      text: the content.
    """
    with file(path) as written, files_of(path).open(written, "wb") as stream:
        stream.write(text.encode())


@contextlib.contextmanager
def file(path: str, at: str | None = None) -> Iterator[str]:
    """Make a file that appears when the block ends well.

    Args:
      path: of the file, local or a URI; replaced when it exists.
      at: where to write it until then; beside `path` when None, where two that
        write the same file would meet.

    Yields:
      The path to write to; removed when the block fails.
    """
    at = at or unfinished(path)
    files = files_of(path)
    try:
        yield at
        move_file(at, path)
    finally:
        if files.exists(at):
            files.remove(at)


def move_file(source: str, path: str) -> None:
    """Put a finished file in its place.

    Args:
      source: the file, in the same file system as `path`.
      path: its place, local or a URI; replaced when it exists.
    """
    sync(source)
    files_of(path).rename(source, path, overwrite=True)
    sync_name(path)


@contextlib.contextmanager
def folder(path: str) -> Iterator[str]:
    """Make a folder that appears when the block ends well.

    Args:
      path: of the folder, local or a URI; replaced when it exists.

    Yields:
      The path to write to, which does not exist; removed when the block fails.
    """
    at = unfinished(path)
    remove_folder(at)
    try:
        yield at
        move_folder(at, path)
    finally:
        remove_folder(at)


def move_folder(source: str, path: str) -> None:
    """Put a finished folder in its place.

    Args:
      source: the folder, in the same file system as `path`.
      path: its place, local or a URI; replaced when it exists.
    """
    sync(source)
    remove_folder(path)
    files = files_of(path)
    if _is_local(path):
        files.rename(source, path)
        sync_name(path)
    else:
        _each_file(source, path, files.rename)


def copy_folder(source: str, path: str, check: Callable[[], None] = lambda: None) -> None:
    """Copy a folder, which appears at its place when it is complete.

    Behind a URI `unfinished(path)` exists as long as the copy is not whole, also
    after a failure.

    Args:
      source: the folder, local or a URI.
      path: its place, local or a URI, where nothing is.
      check: is called when all is ready for the copy to appear; raises where it must
        not.

    Raises:
      OSError: files of the copy are missing, or not as long as those of the original.
    """
    from tfx.dsl.io import fileio

    if _is_local(path):
        with folder(path) as at:
            _each_file(source, at, fileio.copy)
            _compare(source, at)
            check()
        return

    def put(original: str, place: str) -> None:
        if os.path.basename(place) == SAVED_MODEL_FILE:
            _compare(source, path, but=SAVED_MODEL_FILE)
            check()
        fileio.copy(original, place)

    fileio.makedirs(unfinished(path))
    _each_file(source, path, put)
    _compare(source, path)
    fileio.rmtree(unfinished(path))


def remove_folder(path: str) -> None:
    """Remove a folder and all below it.

    Args:
      path: local or a URI; nothing happens when it does not exist.
    """
    files = files_of(path)
    if files.exists(path):
        files.rmtree(path)


def sync(path: str) -> None:
    """Wait until a file, or a folder with all below it, would outlive a loss of power.

    That it is called so is another matter; see `sync_name`.

    Args:
      path: local; nothing happens for a URI, whose store answers for what it took.
    """
    if not _is_local(path):
        return
    paths = [path]
    for inner, folders, names in files_of(path).walk(path):
        paths += [os.path.join(inner, name) for name in (*folders, *names)]
    if len(paths) == 1:
        _sync_one(path)
        return
    # The disk takes what several ask for in one go.
    with concurrent.futures.ThreadPoolExecutor(_SYNCS_AT_ONCE) as threads:
        list(threads.map(_sync_one, paths))


def sync_name(path: str) -> None:
    """Wait until the name of a file or folder would outlive a loss of power.

    Args:
      path: local; nothing happens for a URI.
    """
    if _is_local(path):
        _sync_one(os.path.dirname(path.rstrip("/")) or ".")


def _sync_one(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            # Some file systems, mostly of networks, sync no folders.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(descriptor)


def _each_file(source: str, target: str, put: Callable[[str, str], None]) -> None:
    """Put the files below a folder below another, a SavedModel's graph last."""
    files, found = files_of(target), []
    for inner, _, names in files_of(source).walk(source):
        files.makedirs(target.rstrip("/") + inner.rstrip("/").removeprefix(source.rstrip("/")))
        found += [os.path.join(inner, name) for name in names]
    for path in sorted(found, key=lambda path: os.path.basename(path) == SAVED_MODEL_FILE):
        put(path, target.rstrip("/") + path.removeprefix(source.rstrip("/")))


def _compare(source: str, target: str, but: str | None = None) -> None:
    """Refuse a copy that has not all files of the original, but for those of one name."""
    expected, found = _sizes(source), _sizes(target)
    lost = [
        name
        for name, size in expected.items()
        if found.get(name) != size and os.path.basename(name) != but
    ]
    if lost:
        raise OSError(
            f"{target}: expected a copy of {source}, got {lost[0]} with {found.get(lost[0], 'no')} "
            f"bytes instead of {expected[lost[0]]} ({len(lost)} of {len(expected)} files differ)."
        )


def _sizes(folder: str) -> dict[str, int]:
    """Read the sizes of all files below a folder, by name relative to it."""
    files, base, sizes = files_of(folder), folder.rstrip("/"), {}
    for inner, _, names in files.walk(folder):
        for name in names:
            path = os.path.join(inner, name)
            facts = files.stat(path)
            # TensorFlow's word for it, and the operating system's.
            size = facts.length if hasattr(facts, "length") else facts.st_size
            sizes[path.removeprefix(base).lstrip("/")] = size
    return sizes


def _is_local(path: str) -> bool:
    return "://" not in path


def files_of(path: str) -> Any:
    """Return the functions of tfx.dsl.io.fileio for a path; a local one waits for no TensorFlow.

    Args:
      path: local or a URI.

    Returns:
      What has `exists`, `isdir`, `listdir`, `makedirs`, `open` and the like.
    """
    if _is_local(path):
        from tfx.dsl.io.plugins.local import LocalFilesystem

        return LocalFilesystem
    from tfx.dsl.io import fileio

    return fileio
