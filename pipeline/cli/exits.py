"""Ends a command: exit codes, mistakes and failures in one line, the log of its long part."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn, TextIO

from pipeline.cli import log_redirect
from pipeline.cli.output_folder import Workspace
from pipeline.cli.processes import descendants
from schema.errors import UserError, find_user_error
from schema.plain_text import printable

# Exit codes that all commands share; 0 is what each of them is for.
FAILED, BAD_INPUT = 1, 2
# As shells have it of a process that Ctrl-C ends: 128 and the number of SIGINT.
INTERRUPTED = 130


def reason(error: Exception, limit: int | None = None) -> str:
    """Describe an unforeseen failure in one line.

    Args:
      error: the failure.
      limit: characters at the most; None for all.

    Returns:
      Its type and what it says.
    """
    return " ".join(f"{type(error).__name__}: {error}".split())[:limit]


def tell_error(sentence: str) -> None:
    """Print what went wrong; it may quote data.

    Args:
      sentence: one line.
    """
    print(f"error: {printable(sentence)}", file=sys.stderr)


def exit_code(work: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Run a command and tell mistakes in one line.

    Args:
      work: gives the exit code.
      interrupted: said when the user interrupts it.

    Returns:
      What `work` gives; BAD_INPUT after a UserError, INTERRUPTED after an interrupt
      or a SIGTERM.
    """
    try:
        with _terminated_as_interrupted():
            return work()
    except UserError as error:
        tell_error(str(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM, as clusters and service managers send it, end the block as Ctrl-C does."""
    # Only the main thread may ask for that; tests and notebooks call from others, too.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt_all)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt_all(number: int, frame: FrameType | None) -> NoReturn:
    """Interrupt this process and those that it started, as a terminal does on Ctrl-C."""
    del number, frame
    for process in descendants():
        # Beam waits for worker processes that nobody tells to end.
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGINT)
    raise KeyboardInterrupt


def with_log(workspace: Workspace, work: Callable[[TextIO], int]) -> int:
    """Run the long part of a command, with the libraries' chatter in the log.

    Args:
      workspace: held meanwhile; its log gets the chatter, and a traceback.
      work: called with the stream that the user reads; gives the exit code.

    Returns:
      What `work` gives; FAILED when it fails, told in one line.

    Raises:
      UserError: a mistake was behind the failure.
    """
    with workspace.locked(), log_redirect.redirect_output(str(workspace.log)) as out:
        try:
            workspace.reach()
        except UserError:
            workspace.withdraw()
            raise
        out.write(f"log {workspace.log}\n")
        try:
            return work(out)
        except Exception as error:
            logging.exception("The command failed.")
            sentence = find_user_error(error)
            if sentence:
                raise UserError(sentence) from None
            told = _disk_full(error, workspace.output) or reason(error, 300)
            tell_error(f"{told} (traceback in {workspace.log})")
            return FAILED


def _disk_full(error: BaseException, output: str) -> str | None:
    """Say so where a full disk is behind a failure, whichever library met it."""
    current: BaseException | None = error
    while current is not None:
        if os.strerror(errno.ENOSPC) in str(current):
            return f"{output}: the disk is full; make room and start the same command again."
        current = current.__cause__ or current.__context__
    return None
