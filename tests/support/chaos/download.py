"""Downloads of an archive that are killed, or broken otherwise, and plainly started again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import sys
import threading
import zipfile

from tests.support import forks
from tests.support.archive_server import ArchiveServer
from tests.support.chaos.workplace import CHILD, Result

ARCHIVE = "ml-latest-small"
_FILES = ("ratings.csv", "movies.csv")


class Downloads:
    """A server of an archive, and the rounds.

    Args:
      temporary: folder for the downloads' temporary files.
    """

    def __init__(self, temporary):
        self._temporary = temporary
        self._server = ArchiveServer()
        self._server.content = _packed()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def round(self, draw: random.Random, cache) -> Result:
        """Kills a download into a cache, an empty folder, and does it again."""
        content = self._server.content
        damage = draw.choice(["none", "truncated archive", "truncated part", "breaks off"])
        folder = cache / "datasets"
        folder.mkdir()
        if damage.startswith("truncated"):
            left = folder / f"{ARCHIVE}.zip{'.part' if damage.endswith('part') else ''}"
            left.write_bytes(content[: draw.randrange(len(content))])
        if damage == "breaks off":
            self._server.breaks, self._server.limit = 2, draw.randrange(len(content))
        moment = draw.randrange(16)
        first = self._download({"kind": "kill", "at": "download", "moment": moment}, cache)
        self._server.breaks = 0
        last = self._download({"kind": "none", "at": "-"}, cache)
        name = f"download killed before operation {moment}, {damage} (exit code {first.returncode})"
        return Result(name, [*_problems(last, folder)])

    def _download(self, fault, cache):
        digest = hashlib.sha256(self._server.content).hexdigest()
        command = [sys.executable, CHILD, json.dumps(fault), "download", ARCHIVE, cache]
        command += [self._server.address, digest, len(self._server.content)]
        environment = {**os.environ, "NO_PROXY": "127.0.0.1", "TMPDIR": str(self._temporary)}
        run = forks.Fork(command, cache.parent, environment)
        run.communicate()
        return run


def _problems(last, folder):
    if last.returncode:
        yield f"the second download ended with {last.returncode}"
    found = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.suffix == ".csv"
    }
    if set(found) != {f"{ARCHIVE}/{name}" for name in _FILES}:
        yield f"found {found}"
    extra = [path.name for path in folder.iterdir()]
    if sorted(extra) not in ([f".{ARCHIVE}.lock", ARCHIVE], [ARCHIVE]):
        yield f"left behind: {extra}"


def _packed():
    packed = io.BytesIO()
    draw = random.Random(1)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in _FILES:
            rows = "".join(f"{draw.random()},{draw.random()}\n" for _ in range(8000))
            opened.writestr(f"{ARCHIVE}/{name}", rows)
    return packed.getvalue()
