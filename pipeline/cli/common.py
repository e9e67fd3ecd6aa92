"""What the commands share: the arguments that configure a run.

Nothing here imports the heavy libraries before they are needed, so that
mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import yaml

from pipeline.config import presets
from pipeline.config import run as configuration
from pipeline.config.run import RunConfig
from schema.errors import UserError
from schema.settings import Settings, check, check_choice
from trainer.config.trainer import AUTO, ONE_PROCESS

S = TypeVar("S", bound=Settings)

# For whoever can give no arguments, such as TFX's command line.
PRESET_VARIABLE, CONFIG_VARIABLE = "MOVIELENS_PRESET", "MOVIELENS_CONFIG"


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
        "--data",
        metavar="PATH",
        help="raw files: folder, table of your own, URI or synthetic:... (data.path)",
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


def take_environment(options: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Let variables stand for --preset and --config where neither is given.

    Args:
      options: of a parser with the arguments of `add_configuration`; changed.
      environment: may hold PRESET_VARIABLE or CONFIG_VARIABLE; empty texts do not count.

    Raises:
      UserError: both are there, or the preset is none.
    """
    preset, config = (environment.get(name) for name in (PRESET_VARIABLE, CONFIG_VARIABLE))
    if options.preset or options.config:
        return
    check(
        not (preset and config),
        f"{PRESET_VARIABLE}: expected one of it and {CONFIG_VARIABLE}, got {preset!r} and "
        f"{config!r}.",
    )
    if preset:
        check_choice(PRESET_VARIABLE, preset, tuple(presets.PRESETS))
    options.preset, options.config = preset, config


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
