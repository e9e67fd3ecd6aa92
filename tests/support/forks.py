"""Commands in processes that need not import TFX and its like, ten seconds of the processor.

One process has imported other people's packages, none of ours, and forks itself
for each command. What a command does before it imports those is too late there,
and exit handlers do not run, so some tests start their commands as users do.
"""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from tests.support import autograph

PACKAGES = (
    *("tensorflow", "tensorflow_recommenders", "tensorflow_transform.beam"),
    *("tensorflow_data_validation", "tensorflow_model_analysis", "apache_beam", "optuna"),
    *("tfx.components", "tfx.orchestration.local.local_dag_runner", "tfx.scripts.run_executor"),
    *("pyarrow.compute", "rich.console", "pydantic"),
)
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(list(PACKAGES))


def preload(*modules: str) -> None:
    """Has modules imported beforehand, which may be ours; has no effect once a command ran."""
    _CONTEXT.set_forkserver_preload([*PACKAGES, *modules])


def process(target: Callable[..., object], *arguments: object) -> multiprocessing.Process:
    """Makes a process that runs a function, and ends with this one."""
    return _CONTEXT.Process(target=target, args=arguments, daemon=True)


class Fork:
    """A running command, used as a subprocess.Popen.

    Args:
      command: as for subprocess, with this interpreter first.
      cwd: its folder.
      env: its environment; this one's by default.
      log: file that gets its output; temporary ones by default.
    """

    def __init__(
        self,
        command: Sequence[object],
        cwd: pathlib.Path | str,
        env: Mapping[str, str] | None = None,
        log: pathlib.Path | None = None,
    ) -> None:
        python, *arguments = map(str, command)
        assert python == sys.executable
        self._folder = tempfile.TemporaryDirectory()
        self._files = [str(log or f"{self._folder.name}/{name}") for name in ("out", "err")]
        for file in self._files:
            pathlib.Path(file).touch()
        given = (arguments, str(cwd), dict(os.environ if env is None else env), self._files)
        self._process = _CONTEXT.Process(target=_run, args=given)
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self.returncode

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def communicate(self) -> tuple[str, str]:
        """Output and errors, once it has ended."""
        self.wait()
        out, err = (pathlib.Path(file).read_text() for file in self._files)
        return out, err

    def lines(self) -> Iterator[str]:
        """Lines of its output as they come, until it ends."""
        with open(self._files[0]) as file:
            line = ""
            while True:
                ended = self.poll() is not None
                while read := file.readline():
                    line += read
                    if line.endswith("\n"):
                        yield line
                        line = ""
                if ended:
                    return
                time.sleep(0.02)


def run(
    command: Sequence[object], cwd: pathlib.Path | str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    fork = Fork(command, cwd, env)
    out, err = fork.communicate()
    return subprocess.CompletedProcess([*map(str, command)], fork.returncode or 0, out, err)


def _run(arguments: list[str], cwd: str, environment: dict[str, str], files: list[str]) -> None:
    for descriptor, path in enumerate(files, start=1):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    autograph.leave_keras_alone()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path.insert(0, cwd)
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path.insert(0, os.path.dirname(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")
