"""Keep the libraries' chatter in a log file and the console for people.

TFX, TensorFlow and Beam write through Python's logging, through warnings, with
print and, from C++, straight to the process's standard streams.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import TextIO

_FORMAT = "%(asctime)s %(levelname).1s %(name)s %(filename)s:%(lineno)d %(message)s"


# Notices of its transforms, several a step, that tell nothing of a run.
_QUIET = "apache_beam"


class _Brief(logging.Formatter):
    """Tell notices of several lines by their first: TFX prints whole protocol buffers."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        lines = record.message.splitlines()
        if len(lines) > 1 and record.levelno < logging.WARNING:
            record.message = f"{lines[0]} [{len(lines) - 1} more lines]"
        return super().formatMessage(record)


class _ToLog(logging.StreamHandler):
    """Write to the log, and lose what a full or broken disk does not take.

    By default logging prints a traceback for each such line, to the console.
    """

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


@contextlib.contextmanager
def redirect_output(log_path: str) -> Iterator[TextIO]:
    """Send the chatter of everything inside the block to a file.

    File descriptors 1 and 2 and `sys.stdout` lead to the file, as do logging
    from INFO up (Beam's from WARNING up) and warnings. `sys.stderr` stays on
    the console, for progress bars.

    Args:
      log_path: the file, which is appended to.

    Yields:
      What was standard output, for those who mean to speak to the console.
    """
    # TensorFlow's objects complain when the interpreter takes them apart, after
    # anything that matters was said.
    atexit.register(_silence)
    sys.stdout.flush()
    sys.stderr.flush()
    before = (sys.stdout, sys.stderr)
    saved = (os.dup(1), os.dup(2))
    with (
        _log(log_path) as log,
        _text_stream(saved[0]) as out,
        _text_stream(saved[1]) as err,
        _logging_to(log),
    ):
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        sys.stdout, sys.stderr = log, err
        try:
            yield out
        finally:
            sys.stdout, sys.stderr = before
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)


@contextlib.contextmanager
def _log(path: str) -> Iterator[TextIO]:
    log = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
    try:
        yield log
    finally:
        # What a full disk did not take is tried once more here; the failure that
        # it brought about is told already.
        with contextlib.suppress(OSError):
            log.close()


def _silence() -> None:
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@contextlib.contextmanager
def _text_stream(descriptor: int) -> Iterator[TextIO]:
    stream = os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", buffering=1)
    try:
        yield stream
    finally:
        # Whoever read the console may have left, as `| head` does.
        with contextlib.suppress(BrokenPipeError):
            stream.close()


@contextlib.contextmanager
def _logging_to(log: TextIO) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    handler = _ToLog(log)
    handler.setFormatter(_Brief(_FORMAT))
    # With a handler on the root, absl and TensorFlow set up none of their own.
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    quiet = logging.getLogger(_QUIET)
    quiet_level = quiet.level
    quiet.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(level)
        quiet.setLevel(quiet_level)
