"""local_runner.py, or a download, with one fault built in: `child.py FAULT command...`.

FAULT is JSON: `at` the component in which it happens, `kind`, and what that wants.
`moment` is how many of the component's file operations come before it, as Python's
audit hooks see them; `delay` a time in seconds since the component began. Whatever
happens outside of this process is done by whoever started it, once `begun` exists.
"""

import contextlib
import json
import os
import pathlib
import runpy
import signal
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_OPERATIONS = {
    *("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link"),
    *("shutil.copyfile", "shutil.rmtree"),
}


class Faults:
    """Watches a component and does to it what is asked.

    Args:
      fault: see above.
    """

    def __init__(self, fault):
        self._fault = fault
        self._armed = False
        self._seen = 0
        self._operations = 0
        self._spent = {}

    def operation(self, event, arguments):
        """An audit hook."""
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, str) or not (flags or 0) & _WRITING:
                return
        elif event not in _OPERATIONS:
            return
        self._operations += 1
        self._seen += self._armed
        if self._armed and self._seen == self._fault.get("moment", -1) + 1:
            self._armed = False
            self._act()

    @contextlib.contextmanager
    def during(self, component):
        """What runs in the block is the component."""
        chosen = self._fault["at"] == component
        before, began = self._operations, time.monotonic()
        if chosen:
            self._armed = True
            if "begun" in self._fault:
                pathlib.Path(self._fault["begun"]).touch()
            if "delay" in self._fault:
                timer = threading.Timer(self._fault["delay"], self._act)
                timer.daemon = True
                timer.start()
        try:
            yield
        finally:
            # Later components meet what is broken, but are not broken themselves.
            self._armed = False
            self._spent[component] = {
                "operations": self._operations - before,
                "seconds": time.monotonic() - began,
            }
            if "measured" in self._fault:
                pathlib.Path(self._fault["measured"]).write_text(json.dumps(self._spent))

    def _act(self):
        {"kill": _kill, "full": self._fill, "clock": self._turn_back, "none": bool}[
            self._fault["kind"]
        ]()

    def _fill(self):
        """Leaves a few bytes on the disk, which stays so until whoever started us makes room."""
        space = os.statvfs(os.path.dirname(self._fault["filler"]))
        size = space.f_bavail * space.f_frsize - self._fault["left"]
        with open(self._fault["filler"], "wb") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(size, 1))

    def _turn_back(self):
        """Lets Python's clock jump; TensorFlow's and ML Metadata's own stay."""
        real, jump = time.time, self._fault["seconds"]
        time.time = lambda: real() - jump


def _kill():
    os.kill(os.getpid(), signal.SIGKILL)


def _run_pipeline(faults, arguments):
    from tfx.orchestration.portable import launcher

    launch = launcher.Launcher.launch

    def watched(self):
        with faults.during(self._pipeline_node.node_info.id):
            return launch(self)

    launcher.Launcher.launch = watched
    sys.argv = [str(ROOT / "local_runner.py"), *arguments]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _download(faults, name, cache, server, sha256, size):
    from pipeline.datasets import published
    from pipeline.datasets.download import Checksum

    published.ARCHIVES[name] = Checksum(sha256, int(size))
    with faults.during("download"):
        published.obtain(name, cache, server=server)


def _main():
    _, fault, *command = sys.argv
    sys.path.insert(0, str(ROOT))
    faults = Faults(json.loads(fault))
    sys.addaudithook(faults.operation)
    if command[0] == "download":
        _download(faults, *command[1:])
    else:
        _run_pipeline(faults, command)


if __name__ == "__main__":
    _main()
