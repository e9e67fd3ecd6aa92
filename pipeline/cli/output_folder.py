"""The output folder of local runs, which may be a URI: what lies where, and one run at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

import filelock

from pipeline.config.run import RunConfig
from pipeline.uris import check_known, check_writable, is_uri
from schema import atomic_write
from schema.errors import UserError

# Where runs whose output is a URI keep what must lie on this machine.
_HERE = "output"
_LOCK = ".lock"


@dataclasses.dataclass(frozen=True)
class Workspace:
    """Hold the paths of one run.

    Attributes:
      output: the folder, or its URI; runs that share it share artifacts, cache and
        served models.
      here: folder on this machine for what cannot lie elsewhere: lock, log, the
        database of ML Metadata and what is only there for a while; `output`
        itself unless that is a URI.
      summary: the JSON summary; a path or a URI.
      serving: the folder that blessed models are pushed to, a version a folder.
      log: what the libraries say in this run.
    """

    output: str
    here: pathlib.Path
    summary: str
    serving: str
    log: pathlib.Path

    @classmethod
    def at(cls, output: str, summary: str | None, serving: str | None = None) -> Workspace:
        """Name the paths of a run that starts now; nothing is made.

        Args:
          output: the folder, or its URI.
          summary: where the summary goes, a path or a URI; inside of the folder
            when None.
          serving: where models are pushed, a path or a URI; inside of the folder
            when None.

        Returns:
          Absolute paths, and URIs as they were given.
        """
        output = _absolute(output)
        here = pathlib.Path(output)
        if is_uri(output):
            scheme, _, rest = output.partition("://")
            here = pathlib.Path(_HERE, scheme, *rest.split("/")).absolute()
        return cls(
            output=output,
            here=here,
            summary=_absolute(summary or os.path.join(output, "summary.json")),
            serving=_absolute(serving or os.path.join(output, "serving")),
            log=here / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.log",
        )

    @property
    def database(self) -> str:
        """Name the SQLite file of ML Metadata."""
        return str(self.here / "metadata.sqlite")

    @property
    def artifacts(self) -> str:
        """Name the root of the pipeline's artifacts."""
        return os.path.join(self.output, "artifacts")

    @property
    def checkpoints(self) -> str:
        """Name the folder that a killed training goes on from."""
        return os.path.join(self.output, "checkpoints")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folders on this machine and keep its other runs out meanwhile.

        The lock is the operating system's: a killed run leaves none behind.

        Raises:
          UserError: another run is at work there, or nothing can be written.
        """
        lock = filelock.FileLock(self.here / _LOCK, timeout=0)
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            if not is_uri(self.summary):
                pathlib.Path(self.summary).parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            if not is_uri(self.summary):
                # A run that fails must not leave the summary of an earlier one.
                pathlib.Path(self.summary).unlink(missing_ok=True)
        except filelock.Timeout:
            raise UserError(f"{self.output}: another run is at work in this folder.") from None
        except OSError as error:
            lock.release()
            where = error.filename or self.here
            raise UserError(f"{where}: cannot write there ({error.strerror}).") from None
        try:
            self._sweep()
            with self._scratch():
                yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[None]:
        """Have temporary files in a folder that the next run finds, should this one be killed.

        It is not in the output: sockets have their names there too, which may not be long.
        """
        before = tempfile.gettempdir()
        digest = hashlib.sha256(str(self.here).encode()).hexdigest()[:16]
        folder = pathlib.Path(before, f"movielens-tfx-{digest}")
        try:
            atomic_write.remove_folder(str(folder))
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise UserError(
                f"{folder}: cannot be made anew for temporary files ({error.strerror}); expected "
                "none or one of this user there, or another place in TMPDIR."
            ) from None
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before
            with contextlib.suppress(OSError):
                atomic_write.remove_folder(str(folder))

    def _sweep(self) -> None:
        """Remove what killed runs left here; the lock says that none is at work."""
        left = [
            *self.here.glob(f"{atomic_write.UNFINISHED}*"),
            # TFX's place for what a component needs while it runs.
            *self.here.glob("artifacts/*/.system/executor_execution/*/.temp"),
        ]
        for path in left:
            with contextlib.suppress(OSError):
                if path.is_dir():
                    atomic_write.remove_folder(str(path))
                else:
                    path.unlink()

    def reach(self) -> None:
        """Do for URIs what `locked` does for paths; load TensorFlow where there are any.

        Raises:
          UserError: a URI that is not known here, or that cannot be written.
        """
        folders = [self.output, os.path.dirname(self.summary)]
        if not self.serving.startswith(f"{self.output.rstrip('/')}/"):
            folders.append(self.serving)
        for folder in folders:
            if is_uri(folder):
                check_known(folder)
                check_writable(folder)
        if is_uri(self.summary):
            from tfx.dsl.io import fileio

            if fileio.exists(self.summary):
                fileio.remove(self.summary)

    def withdraw(self) -> None:
        """Take back what `locked` made here for a URI that is out of reach."""
        if not is_uri(self.output):
            return
        top = pathlib.Path(_HERE).absolute()
        inside = [folder for folder in self.here.parents if folder.is_relative_to(top)]
        self.log.unlink(missing_ok=True)
        # What other runs left here ends it.
        with contextlib.suppress(OSError):
            self.log.parent.rmdir()
            (self.here / _LOCK).unlink(missing_ok=True)
            for folder in (self.here, *inside):
                folder.rmdir()


def default_output(name: str, base: RunConfig, config: RunConfig) -> str:
    """Name the folder of a run that was given none, so that unlike runs do not share one.

    Args:
      name: of the preset or configuration file that the run starts from.
      base: what that configures.
      config: what runs.

    Returns:
      `output/<name>`, with the data's and the model's name in front where the
      command line changed one of them.
    """
    told = [(c.data.label, c.trainer.model.replace("_", "-")) for c in (base, config)]
    return os.path.join(_HERE, name if told[0] == told[1] else "-".join((*told[1], name)))


def _absolute(path: str) -> str:
    return path if is_uri(path) else str(pathlib.Path(path).absolute())
