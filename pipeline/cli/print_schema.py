"""`--print-schema`: the JSON Schema of a configuration file, for editors."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from schema.settings import Settings, json_schema


class PrintSchema(argparse.Action):
    """Print the JSON Schema of settings and end the command.

    Args:
      option_strings: of argparse.Action.
      dest: of argparse.Action.
      kind: the settings that the command reads from a file.
      help: of argparse.Action.
    """

    def __init__(
        self, option_strings: Sequence[str], dest: str, kind: type[Settings], help: str
    ) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)
        self._kind = kind

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        """Print the schema and leave the process."""
        print(json.dumps(json_schema(self._kind), indent=2))
        parser.exit()


def add_print_schema(parser: argparse.ArgumentParser, kind: type[Settings], file: str) -> None:
    """Add `--print-schema` to a command.

    Args:
      parser: gets it.
      kind: the settings whose schema is printed.
      file: which file they are read from, for `--help`.
    """
    parser.add_argument(
        "--print-schema", action=PrintSchema, kind=kind, help=f"JSON Schema of {file}, and stop"
    )
