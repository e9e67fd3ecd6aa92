"""Leases: one process at a time is at work in a folder, which others may see from elsewhere.

A file names the owner, who writes it anew every BEAT_SECONDS. Whoever finds a lease
waits until its owner gives it back, or takes it over once the owner is dead: when its
process is gone, which is seen on its own machine only, or when it has written nothing
for LIMIT_SECONDS, as a process that is stopped, which then finds that it lost the lease.
That time is counted by the one who waits, so clocks need not agree.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator

from schema import conditional_file
from schema.conditional_file import Seen
from schema.errors import UserError
from schema.progress import tell

BEAT_SECONDS = 10.0
LIMIT_SECONDS = 60.0
# Between two looks at somebody else's lease.
POLL_SECONDS = 1.0
# A wait that is longer is told.
_QUIET_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class Owner:
    """Describe who holds a lease.

    Attributes:
      token: of this lease alone.
      host: name of the machine.
      machine: what no other running machine and no other container of it has.
      process: its number there.
      started: when the process started, by the machine's own count: numbers come again.
    """

    token: str
    host: str
    machine: str
    process: int
    started: str

    @classmethod
    def here(cls) -> Owner:
        """Describe this process, with a new token."""
        process = os.getpid()
        started = _started(process) or ""
        return cls(uuid.uuid4().hex, socket.gethostname(), _machine(), process, started)

    @property
    def is_here(self) -> bool:
        """Tell whether its machine is this one, so that it is seen whether it lives."""
        return bool(self.machine) and self.machine == _machine()

    @property
    def runs(self) -> bool:
        """Tell whether the process is there; of an owner here only."""
        started = _started(self.process)
        return _exists(self.process) if started is None else started == self.started

    def __str__(self) -> str:
        return f"process {self.process} of {self.host}"


class Lease:
    """Take a lease, keep it and give it back.

    Args:
      place: its file, local or a URI, in a folder that exists unless it is a URI.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._file = conditional_file.at(place)
        self._owner = Owner.here()
        self._beats = 0
        self._seen: Seen | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def take(self, patience: float) -> Owner | None:
        """Take the lease when it is free or its owner dead; wait for an owner who lives.

        Args:
          patience: seconds to wait for such an owner. To find out whether one elsewhere
            lives takes up to LIMIT_SECONDS more.

        Returns:
          The owner who still has it; None when it was taken.
        """
        began, told, watch = time.monotonic(), False, _Watch()
        while True:
            found = self._file.read()
            watch.look(found)
            if found and watch.owner == self._owner:
                # A request that was tried twice had come through before.
                self._hold(found)
                return None
            if found is None or watch.dead:
                if self.take_over(found):
                    return None
                continue
            waited = time.monotonic() - began
            if watch.lives and waited >= patience:
                return watch.owner
            if waited >= _QUIET_SECONDS and not told:
                told = True
                who = watch.owner or "somebody"
                tell(f"waiting for {who}, at work in {os.path.dirname(self._place)}")
            time.sleep(POLL_SECONDS)

    def look(self) -> Seen | None:
        """Read the lease; None when nobody has it."""
        return self._file.read()

    def take_over(self, seen: Seen | None) -> bool:
        """Take the lease if it is still what it was.

        Args:
          seen: of `look`, and known to be of a dead owner.

        Returns:
          Whether it was taken.
        """
        written = self._file.write(self._text(), seen)
        if written is not None:
            self._hold(written)
        return written is not None

    def check(self) -> None:
        """Make sure that the lease is still held, and that it will be for a while.

        Raises:
          UserError: another process has taken it over.
        """
        if not self._renew():
            raise UserError(
                f"{self._place}: another run took this lease over, as this one could not renew it "
                f"for {LIMIT_SECONDS:.0f} s; start the same command again."
            )

    def release(self) -> None:
        """Give the lease back; nothing happens when another has taken it over."""
        self._ended.set()
        self._thread.join()
        if self._seen is not None:
            # Where the store cannot be reached now, nobody renews the lease any more.
            with contextlib.suppress(Exception):
                self._file.remove(self._seen)

    def _hold(self, seen: Seen) -> None:
        self._seen = seen
        self._thread.start()

    def _text(self) -> str:
        return json.dumps({"owner": dataclasses.asdict(self._owner), "beat": self._beats})

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            # A store that cannot be reached now may be at the next beat, and `check` tells
            # what came of it; its client raises what it likes.
            with contextlib.suppress(Exception):
                if not self._renew():
                    return

    def _renew(self) -> bool:
        """Write the lease anew; return False when it is another's."""
        with self._lock:
            if self._seen is None:
                return False
            self._beats += 1
            written = self._file.write(self._text(), self._seen)
            if written is None:
                # A request that was tried twice had come through before.
                found = self._file.read()
                written = found if found and _owner(found) == self._owner else None
            self._seen = written
            return written is not None


class _Watch:
    """Look at a lease again and again, to see whether its owner lives."""

    def __init__(self) -> None:
        self._seen: Seen | None = None
        self._since = time.monotonic()
        self.owner: Owner | None = None
        self.lives = False

    def look(self, found: Seen | None) -> None:
        """Take note of what the lease holds."""
        if self._seen is not None and found != self._seen:
            self._since = time.monotonic()
            self.lives = False
        owner = _owner(found) if found else None
        if owner is not None and owner == self.owner and found != self._seen:
            self.lives = True
        self._seen, self.owner = found, owner
        if owner is not None and owner.is_here:
            self.lives = owner.runs

    @property
    def dead(self) -> bool:
        """Tell whether the owner of the lease that was seen last is dead."""
        if self.owner is not None and self.owner.is_here and not self.owner.runs:
            return True
        return time.monotonic() - self._since >= LIMIT_SECONDS


@contextlib.contextmanager
def hold(place: str, patience: float) -> Iterator[Lease]:
    """Hold a lease while the block runs.

    Args:
      place: its file; see Lease.
      patience: seconds to wait for another owner.

    Yields:
      The lease.

    Raises:
      UserError: another owner was still at work after that time.
    """
    lease = Lease(place)
    owner = lease.take(patience)
    if owner is not None:
        raise UserError(
            f"{os.path.dirname(place)}: {owner} is still at work there after {patience:.0f} s; "
            "start the same command again when it has ended."
        )
    try:
        yield lease
    finally:
        lease.release()


def _owner(seen: Seen) -> Owner | None:
    """Read who holds a lease; None of one that was written in part."""
    try:
        return Owner(**json.loads(seen.text)["owner"])
    except (ValueError, LookupError, TypeError):
        return None


@functools.lru_cache
def _machine() -> str:
    """Name the running machine and the space that its processes are numbered in; "" unknown."""
    with contextlib.suppress(OSError):
        boot = _kernel_text("/proc/sys/kernel/random/boot_id")
        return f"{boot.strip()} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _started(process: int) -> str | None:
    """Read when a process started, in ticks since the machine did; None when it is not seen."""
    try:
        # The name of the program, in parentheses, may hold anything.
        fields = _kernel_text(f"/proc/{process}/stat").rpartition(")")[2].split()
    except OSError:
        return None
    # A zombie does nothing any more.
    return "" if fields[0] == "Z" else fields[19]


def _exists(process: int) -> bool:
    """Tell whether a process is there that may be another user's and hidden from this one."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _kernel_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
