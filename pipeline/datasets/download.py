"""One file over HTTP: resumed where it stopped, checked before it counts."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator

import requests
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from schema import atomic_write
from schema.errors import UserError

# Seconds to connect and between two reads: a host that drops packets must not
# hold up the fallback for long.
_TIMEOUT = (4.0, 30.0)
_ATTEMPTS = 3
_BLOCK = 1 << 16


@dataclasses.dataclass(frozen=True)
class Checksum:
    """Hold what a file must be.

    Attributes:
      sha256: hexadecimal.
      size: bytes.
    """

    sha256: str
    size: int

    def verify(self, path: pathlib.Path, origin: str) -> None:
        """Compare a file with what it must be.

        Args:
          path: the file.
          origin: where it came from, for the message.

        Raises:
          UserError: another size or digest.
        """
        size = path.stat().st_size
        if size != self.size:
            got = "more" if size > self.size else size
            raise UserError(f"{origin}: expected {self.size} bytes, got {got}.")
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
        if digest.hexdigest() != self.sha256:
            raise UserError(
                f"{origin}: checksum mismatch, expected SHA-256 {self.sha256}, "
                f"got {digest.hexdigest()}."
            )


def fetch(url: str, target: pathlib.Path, checksum: Checksum, console: Console) -> None:
    """Download `url` to `target`, which appears only whole and verified.

    What arrived is kept as `<target>.part`, so a broken download goes on where
    it stopped, in this call or a later one. A file that does not verify is
    removed; one that was resumed is then fetched once more from its beginning.

    Args:
      url: what to fetch; proxies and certificates as `requests` finds them.
      target: where to; its folder exists.
      checksum: what the file must be.
      console: for the progress bar.

    Raises:
      UserError: host not reachable, an HTTP error, or not the expected file.
    """
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    _transfer(url, part, checksum.size, console)
    try:
        checksum.verify(part, url)
    except UserError:
        part.unlink()
        if not resumed:
            raise
        _transfer(url, part, checksum.size, console)
        try:
            checksum.verify(part, url)
        except UserError:
            part.unlink()
            raise
    atomic_write.move_file(str(part), str(target))


def _transfer(url: str, part: pathlib.Path, size: int, console: Console) -> None:
    """Fill `part` to the end of the resource, trying again while there is progress."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(url.rpartition("/")[2], total=size)
        for attempt in range(1, _ATTEMPTS + 1):
            before = part.stat().st_size if part.exists() else 0
            if before >= size:
                return
            try:
                for done in _receive(url, part, before, size):
                    progress.update(task, completed=done)
                return
            except requests.RequestException as error:
                arrived = part.stat().st_size if part.exists() else 0
                if arrived == before or attempt == _ATTEMPTS:
                    raise UserError(_explain(url, error, arrived)) from None


def _receive(url: str, part: pathlib.Path, offset: int, size: int) -> Iterator[int]:
    """Append to `part` what is missing; yield the bytes that are there."""
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if offset and response.status_code == requests.codes.requested_range_not_satisfiable:
            # Everything is there, or the file shrank; the checksum tells.
            return
        response.raise_for_status()
        coding = response.headers.get("Content-Encoding", "identity")
        if coding != "identity":
            # requests would unpack it, to any size.
            raise UserError(f"{url}: expected the file as it is, got it packed with {coding!r}.")
        # Else urllib3 2 raises on an early end and drops what came before it;
        # 1.26 does not. The length is checked below.
        response.raw.enforce_content_length = False
        resuming = response.status_code == requests.codes.partial_content
        done = offset if resuming else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with part.open("ab" if resuming else "wb") as file:
            for block in response.iter_content(_BLOCK):
                # One byte too many tells that it is not the expected file.
                file.write(block[: size + 1 - done])
                done += len(block)
                if done > size:
                    return
                yield done
        if total is not None and done < total:
            # requests takes an early end of the body for its end.
            raise requests.ConnectionError("the body ended early")


def _explain(url: str, error: requests.RequestException, arrived: int) -> str:
    if isinstance(error, requests.HTTPError):
        reason = f"the server answered {error.response.status_code}"
    elif isinstance(error, requests.Timeout):
        reason = "the server did not answer in time"
    elif arrived:
        reason = f"the connection broke after {arrived} bytes, which are kept: run it again"
    else:
        reason = "the server cannot be reached"
    return f"{url}: {reason}."
