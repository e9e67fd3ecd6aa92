"""What a command without a pipeline tells of its steps."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.reports.console import RunConsole

# A step that is not done after so many seconds is announced, and ranks are
# counted so often.
_PATIENCE = 2.0
_RANKS_EVERY = 10.0


class Counted:
    """Tell from time to time for how many users the ranks are written.

    Args:
      console: told.
      total: users.
    """

    def __init__(self, console: RunConsole, total: int) -> None:
        self._console, self._total = console, total
        self._told = time.monotonic()

    def __call__(self, users: int) -> None:
        """Note for how many users they are written."""
        if time.monotonic() - self._told > _RANKS_EVERY:
            self._told = time.monotonic()
            self._console.running(f"ranks {users}/{self._total}")


@contextlib.contextmanager
def step(console: RunConsole, name: str) -> Iterator[None]:
    """Announce a step that takes a while, and say how long it took.

    Args:
      console: told.
      name: of the step.
    """
    started = time.monotonic()
    timer = threading.Timer(_PATIENCE, console.running, [name])
    timer.daemon = True
    timer.start()
    try:
        yield
    except BaseException:
        timer.cancel()
        console.failed(name, time.monotonic() - started)
        raise
    timer.cancel()
    console.finished(name, time.monotonic() - started, cached=False)
