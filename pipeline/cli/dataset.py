"""The command `movielens-dataset`: obtains published or generated data ahead of time.

`python -m pipeline.cli.dataset` is the same. GroupLens asks for its licences to
be read: a README lies in every archive. Exit codes: 0 done; 2 no such dataset,
or one that cannot be obtained; 130 interrupted; 1 anything else.
"""

from __future__ import annotations

import argparse
import sys

from pipeline.cli import common, exits
from pipeline.datasets import published
from schema.errors import UserError

DONE = 0


def _parser() -> argparse.ArgumentParser:
    parser = common.Parser(
        prog="movielens-dataset",
        description="Obtains data sets by name and prints the folder of each.",
    )
    parser.add_argument("name", nargs="*", help="datasets to obtain")
    parser.add_argument("--list", action="store_true", help="list the names and stop")
    parser.add_argument("--cache-dir", metavar="DIR", help="keep datasets here")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
      arguments: the command line; that of the process when None.

    Returns:
      The exit code.
    """
    return exits.exit_code(lambda: _run(_parser().parse_args(arguments)))


def _run(options: argparse.Namespace) -> int:
    if options.list:
        for name, checksum in published.ARCHIVES.items():
            print(f"{name:16} {checksum.size / 1e6:.1f} MB")
        return DONE
    if not options.name:
        raise UserError("expected the name of a dataset; --list shows them.")
    for name in options.name:
        print(published.obtain(name, options.cache_dir))
    return DONE


if __name__ == "__main__":
    sys.exit(main())
