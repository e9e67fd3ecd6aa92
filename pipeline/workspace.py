"""The output folder of local runs: what lies where, and one run at a time.

Called by the commands (pipeline.command).
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import pathlib
from collections.abc import Iterator

import filelock

from schema.errors import UserError


@dataclasses.dataclass(frozen=True)
class Workspace:
    """Paths of one run.

    Attributes:
      output: the folder; runs that share it share artifacts, cache and served
        models.
      summary: the JSON summary.
      log: what the libraries say in this run.
    """

    output: pathlib.Path
    summary: pathlib.Path
    log: pathlib.Path

    @classmethod
    def at(cls, output: str, summary: str | None) -> Workspace:
        """Names the paths of a run that starts now; makes nothing.

        Args:
          output: the folder.
          summary: where the summary goes; inside of the folder when None.

        Returns:
          Absolute paths.
        """
        folder = pathlib.Path(output).absolute()
        return cls(
            output=folder,
            summary=pathlib.Path(summary).absolute() if summary else folder / "summary.json",
            log=folder / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.log",
        )

    @property
    def database(self) -> str:
        """SQLite file of ML Metadata."""
        return str(self.output / "metadata.sqlite")

    @property
    def artifacts(self) -> str:
        """Root of the pipeline's artifacts."""
        return str(self.output / "artifacts")

    @property
    def serving(self) -> str:
        """Where blessed models are pushed, a version a folder."""
        return str(self.output / "serving")

    @property
    def checkpoints(self) -> str:
        """What a killed training goes on from."""
        return str(self.output / "checkpoints")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Makes the folders and keeps other runs out while the block runs.

        The lock is the operating system's: a killed run leaves none behind.

        Raises:
          UserError: another run is at work there, or nothing can be written.
        """
        lock = filelock.FileLock(self.output / ".lock", timeout=0)
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.summary.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            # A run that fails must not leave the summary of an earlier one.
            self.summary.unlink(missing_ok=True)
        except filelock.Timeout:
            raise UserError(f"{self.output}: another run is at work in this folder.") from None
        except OSError as error:
            lock.release()
            where = error.filename or self.output
            raise UserError(f"{where}: cannot write there ({error.strerror}).") from None
        try:
            yield
        finally:
            lock.release()
