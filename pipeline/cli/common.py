"""What the commands share: arguments that configure a run, and where its data lies.

Nothing here imports the heavy libraries before they are needed, so that
mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
from typing import Any, NoReturn, TypeVar

import yaml

from pipeline.config import presets
from pipeline.config import run as configuration
from pipeline.config.run import DataConfig, RunConfig
from pipeline.datasets import synthetic_config
from pipeline.uris import check_known, is_uri
from schema.errors import UserError
from schema.settings import Settings, check
from trainer.config.trainer import AUTO, ONE_PROCESS

S = TypeVar("S", bound=Settings)


class _Version(argparse.Action):
    """Print the version of the project and end the command."""

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        """Print the version and leave the process."""
        try:
            print(f"movielens-tfx {importlib.metadata.version('movielens-tfx')}")
        except importlib.metadata.PackageNotFoundError:
            print("movielens-tfx, a version that was never installed")
        parser.exit()


class Parser(argparse.ArgumentParser):
    """Parse arguments and raise mistakes as UserErrors; every command knows --version.

    Args:
      settings: as of argparse.ArgumentParser.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.add_argument("--version", action=_Version, nargs=0, help="print it and stop")

    def error(self, message: str) -> NoReturn:
        """Raise the mistake instead of leaving the process."""
        raise UserError(f"{message}; --help lists the arguments.")


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `base_config` and `apply_overrides` read.

    Args:
      parser: gets --preset, --config, --data, --format and --set.
    """
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--preset", metavar="NAME", help=f"default: {presets.DEFAULT}")
    start.add_argument("--config", metavar="FILE", help="YAML, as --print-config writes")
    parser.add_argument(
        "--data", metavar="DIR", help="raw files: folder, URI or synthetic:... (data.path)"
    )
    parser.add_argument("--format", metavar="F", help="layout of the files (data.format)")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="set any key; repeatable"
    )


def add_force_bless(parser: argparse.ArgumentParser) -> None:
    """Add the argument that overrules the gate.

    Args:
      parser: gets --force-bless, a reason that is more than blanks.
    """
    parser.add_argument(
        "--force-bless",
        metavar="REASON",
        type=_reason,
        help="push the model whatever the gate finds; recorded",
    )


def add_beam(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that pipeline.config.beam.chosen reads.

    Args:
      parser: gets --beam-runner and --beam-option.
    """
    parser.add_argument(
        "--beam-runner", metavar="R", help="direct, flink, spark or dataflow (docs/deploy.md)"
    )
    parser.add_argument(
        "--beam-option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="of that runner, by Beam's own name; repeatable",
    )


def _reason(text: str) -> str:
    # No ArgumentTypeError: argparse would put other words around the sentence.
    if not text.strip():
        raise UserError("--force-bless: expected a reason, got an empty text.")
    return text


def base_config(options: argparse.Namespace) -> RunConfig:
    """Read the configuration to start from: a preset's or a file's.

    Args:
      options: of a parser with the arguments of `add_configuration`.

    Returns:
      The configuration.

    Raises:
      UserError: no such preset, or a file that cannot be read.
    """
    if options.config:
        return configuration.load(options.config)
    return presets.get(options.preset or presets.DEFAULT)


def apply_overrides(
    config: S, options: argparse.Namespace, named: dict[str, str | int | None]
) -> S:
    """Apply what else the command line says.

    Args:
      config: what to start from; has a DataConfig as `data`.
      options: of a parser with the arguments of `add_configuration`.
      named: values of further arguments by dotted key, None where not given.

    Returns:
      The configuration, checked.

    Raises:
      UserError: an unknown key or a bad value.
    """
    values = {"data.path": options.data, "data.format": options.format, **named}
    # JSON would write an emoji as two halves, which YAML does not join.
    given = [
        f"{key}={yaml.safe_dump(value, width=sys.maxsize)}"
        for key, value in values.items()
        if value is not None
    ]
    return configuration.override(config, given + options.set)


def check_one_process(strategy: str, where: str) -> None:
    """Refuse strategies of several processes where there is one.

    Args:
      strategy: trainer.strategy.
      where: what trains in one process.

    Raises:
      UserError: the strategy wants more.
    """
    known = (*ONE_PROCESS, AUTO)
    check(
        strategy in known,
        f"trainer.strategy: expected one of {', '.join(known)} with {where}, which trains in one "
        f"process, got {strategy!r}; docs/strategies.md says where several train.",
    )


def data_folder(data: DataConfig) -> str:
    """Find the folder of the raw files; obtain published or generated data not here yet.

    Args:
      data: names a folder or a dataset.

    Returns:
      An absolute path, or a URI as it was given.

    Raises:
      UserError: no such folder, or a dataset that cannot be obtained.
    """
    path, generated = data.path, data.synthetic is not None
    if generated and data.format not in (configuration.AUTO, synthetic_config.FORMAT):
        raise UserError(
            f"data.format: expected {configuration.AUTO} or {synthetic_config.FORMAT} with "
            f"generated data, got {data.format!r}."
        )
    if path is None or generated:
        from pipeline.datasets import published

        return published.obtain(str(path or data.dataset))
    if is_uri(path):
        return path
    if os.path.isfile(path):
        raise UserError(
            f"data.path: expected a folder with raw files, got the file {path!r}; name its "
            f"folder, {os.path.dirname(path) or '.'!r}."
        )
    if not os.path.isdir(path):
        raise UserError(f"data.path: expected a folder with raw files, got {path!r}.")
    return os.path.abspath(path)


def layout(data: DataConfig, folder: str) -> str:
    """Find the name of the raw files' layout, as configured or as their names show it.

    The beginnings of the files are looked at too; for a folder on this machine no
    TensorFlow is loaded.

    Args:
      data: names it, or leaves it open.
      folder: where the files are.

    Returns:
      The name of an adapter of components.formats.

    Raises:
      UserError: none or several fit, a file that begins wrong, or a URI that is not
        known here.
    """
    from components import formats

    check_known(folder)
    named = data.format
    name = formats.detect(folder) if named == configuration.AUTO else named
    adapter = formats.get(name)
    adapter.check_beginnings(folder)
    return adapter.name
