"""Folders of unfinished trainings, each of one process as long as it runs.

A training's folder is named by a digest of all that decides its result, so that a
killed one is found by whoever starts it again. Of two that run at once with the same
name, as two runs of one configuration on one root do, the later takes a folder
beside, by the same name and a number.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
from collections.abc import Callable, Iterator

import tensorflow as tf

from schema.lease import Lease
from trainer.config.keys import SEARCH_STATES
from trainer.distribution.strategy import DistributionContext

# Ends the name of the lease beside a folder.
_LEASE = ".lease"
# Seconds that the states of a training that nobody goes on with are kept: a week.
_KEPT_SECONDS = 7 * 24 * 3600.0
# What a search goes on from, whenever that may be.
_SEARCH = re.compile(rf"{re.escape(SEARCH_STATES)}[0-9a-f]+")


@contextlib.contextmanager
def claim(
    root: str | None,
    name: Callable[[], str],
    distribution: DistributionContext | None = None,
    keep: bool = False,
) -> Iterator[str | None]:
    """Have a folder for states that no other process writes to meanwhile.

    What nobody has written to for a week is removed, but for searches, which are small.

    Args:
      root: of all folders for states, local or a URI; None keeps no states.
      name: gives that of the training; called with `root` only, as it may digest all data.
      distribution: whose processes share the folder, of which the one that writes
        holds it; None for a process alone.
      keep: whether the folder stays when the block ends well, unless another of this
        name was at work before.

    Yields:
      The folder, there or not; None without `root`.
    """
    if root is None:
        yield None
        return
    distribution = distribution or DistributionContext(tf.distribute.get_strategy())
    lease, number, own = None, 0, name()
    if distribution.task.writes:
        tf.io.gfile.makedirs(root)
        _sweep(root)
        lease, number = _take(root, own)
    number = int(distribution.from_writer(number))
    folder = _folder(root, own, number)
    try:
        yield folder
        if lease and not (keep and number == 1) and tf.io.gfile.exists(folder):
            tf.io.gfile.rmtree(folder)
    finally:
        if lease:
            lease.release()


def _folder(root: str, name: str, number: int) -> str:
    return os.path.join(root, name if number == 1 else f"{name}-{number}")


def _take(root: str, name: str) -> tuple[Lease, int]:
    """Take a folder of a name that no living process has, if there is one with states."""
    entries = [entry.rstrip("/") for entry in tf.io.gfile.listdir(root)]
    pattern = re.compile(rf"{re.escape(name)}(?:-(\d+))?")
    there = sorted(int(match[1] or 1) for entry in entries if (match := pattern.fullmatch(entry)))
    for number in itertools.chain(there, (n for n in itertools.count(1) if n not in there)):
        lease = Lease(_folder(root, name, number) + _LEASE)
        if lease.take(patience=0.0) is None:
            return lease, number
    raise AssertionError("numbers do not end")


def _sweep(root: str) -> None:
    """Remove what nobody has written to for long."""
    entries = {entry.rstrip("/").removesuffix(_LEASE) for entry in tf.io.gfile.listdir(root)}
    for name in entries:
        if _SEARCH.fullmatch(name):
            continue
        folder = os.path.join(root, name)
        lease = Lease(folder + _LEASE)
        seen = lease.look()
        written = _last_written(folder)
        # Some stores tell no times; written since, the lease is not what was seen.
        if 0 < written < time.time() - _KEPT_SECONDS and lease.take_over(seen):
            if tf.io.gfile.exists(folder):
                tf.io.gfile.rmtree(folder)
            lease.release()


def _last_written(folder: str) -> float:
    """Return when a folder or its lease was written last, in seconds since 1970; 0 unknown."""
    paths = [folder, folder + _LEASE]
    for inner, _, names in tf.io.gfile.walk(folder):
        paths += [os.path.join(inner, name) for name in names]
    written = 0.0
    for path in paths:
        # A bucket has no folders; the file may be another's, who removes it.
        with contextlib.suppress(tf.errors.NotFoundError):
            written = max(written, tf.io.gfile.stat(path).mtime_nsec / 1e9)
    return written
