"""Names and values of Beam's options, as Beam's own parsers know them.

Beam itself takes any name and drops those that it does not know, or that mean
nothing to the runner.
"""

from __future__ import annotations

import argparse
import difflib
import os
import warnings
from typing import Any, Final, Literal, NoReturn, get_args

from schema.errors import UserError
from schema.settings import check

Runner = Literal["direct", "flink", "spark", "dataflow"]
RUNNERS: tuple[str, ...] = get_args(Runner)
DIRECT: Final = "direct"
FLINK: Final = "flink"
SPARK: Final = "spark"
DATAFLOW: Final = "dataflow"

IMAGE = "sdk_container_image"
SETUP_FILE = "setup_file"

# Beam's classes of options that mean something to every runner, and to each.
_COMMON = (
    *("DebugOptions", "ProfilingOptions", "TypeOptions"),
    *("S3Options", "HadoopFileSystemOptions", "AzureOptions"),
)
_OWN = {
    DIRECT: ("DirectOptions",),
    FLINK: ("SetupOptions", "PortableOptions", "JobServerOptions", "FlinkRunnerOptions"),
    SPARK: ("SetupOptions", "PortableOptions", "JobServerOptions", "SparkRunnerOptions"),
    DATAFLOW: ("SetupOptions", "GoogleCloudOptions", "WorkerOptions"),
}
# Options stand in compiled files, in the commands of tasks and in lists of processes.
_SECRET = (
    "others on the machine or the cluster read options; give whoever does the work an identity of "
    "its own (workload identity, the role of an instance) or keep secrets in its environment"
)
_REFUSED = {
    **dict.fromkeys(
        (
            *("s3_access_key_id", "s3_secret_access_key", "s3_session_token"),
            "azure_connection_string",
        ),
        _SECRET,
    ),
    "job_name": "the jobs of one run may go on side by side and need names of their own",
    "template_location": "it makes a template instead of running the job",
    "output_executable_path": "it makes a file instead of running the job",
}


class OptionParser(argparse.ArgumentParser):
    """Join Beam's parsers of what means something to one runner, in one.

    Args:
      runner: one of RUNNERS.
    """

    def __init__(self, runner: str) -> None:
        # Takes seconds, so only where an option was given.
        with warnings.catch_warnings():
            # Of Google's clients, about versions; nothing that a user here can act on.
            warnings.simplefilter("ignore", FutureWarning)
            from apache_beam.options import pipeline_options

        self._known: dict[str, argparse.Action] = {}
        super().__init__(prog="beam", add_help=False, allow_abbrev=False)
        self._runner = runner
        for name in (*_COMMON, *_OWN[runner]):
            getattr(pipeline_options, name)._add_argparse_args(self)
        if runner in (FLINK, SPARK):
            # Beam's name of the image on Dataflow; pipeline.config.beam makes it known here.
            self.add_argument(f"--{IMAGE}")

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        """Add an option and remember its names; for Beam's classes."""
        action = super().add_argument(*names, **settings)
        self._known |= {name.lstrip("-"): action for name in names}
        return action

    def error(self, message: str) -> NoReturn:
        """Raise the mistake instead of leaving the process."""
        raise UserError(f"beam: {message.removeprefix('argument --')}.")

    def argv_of(self, name: str, value: Any) -> list[str]:
        """Write an option as arguments, its name and kind checked.

        Args:
          name: Beam's, without dashes.
          value: true for a flag, a list for an option that is given several times.

        Returns:
          Arguments, whose values `parse_args` checks.

        Raises:
          UserError: no option of this runner, or one that cannot be had here.
        """
        if name not in self._known:
            self._refuse(name)
        check(
            name not in _REFUSED, f"beam: {name} is not supported here, since {_REFUSED.get(name)}."
        )
        values = value if isinstance(value, list) else [value]
        told = ", ".join(map(str, values))
        if self._known[name].nargs == 0:
            check(
                values in ([True], ["true"]),
                f"beam: {name}: expected true, or to be left out, got {told!r}.",
            )
            return [f"--{name}"]
        if name == SETUP_FILE:
            check(
                all(os.path.isfile(file) for file in values),
                f"beam: {name}: expected the path of our setup.py, got {told!r}.",
            )
            # Beam goes into the file's folder, which fails for a bare name.
            values = [os.path.abspath(file) for file in values]
        return [f"--{name}={value}" for value in values]

    def _refuse(self, name: str) -> NoReturn:
        others = [r for r in RUNNERS if r != self._runner and name in OptionParser(r)._known]
        close = difflib.get_close_matches(name, self._known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        if others:
            hint = f", it belongs to {' and '.join(others)}."
        raise UserError(f"beam: the {self._runner} runner has no option {name!r}{hint}")
