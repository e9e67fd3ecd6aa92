"""The command `movielens-lineage`: what a pushed model was made from.

It reads ML Metadata, and the evaluation that the gate judged; it runs and changes
nothing. `python -m pipeline.cli.lineage` is the same. Exit codes: 0 done; 2 no such
model, or a store that cannot be read; 130 interrupted; 1 anything else.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import sys

from pipeline.cli import common, exits, log_redirect
from pipeline.cli.output_folder import Workspace
from pipeline.config import presets
from pipeline.metadata import store
from pipeline.uris import is_uri
from schema.errors import UserError

DONE = 0


def _parser() -> argparse.ArgumentParser:
    parser = common.Parser(
        prog="movielens-lineage",
        description="Tells what a pushed model was made from: data, code, configuration, parents.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="served version or folder (its newest), version number, or id or uri of a "
        "PushedModel or Model artifact; default: <output>/serving",
    )
    parser.add_argument(
        "--output", metavar="DIR", help=f"of the run; default: output/{presets.DEFAULT}"
    )
    parser.add_argument(
        "--metadata",
        metavar="URL",
        help="SQLite file or mysql://USER@HOST:PORT/DATABASE; default: <output>/metadata.sqlite, "
        "or the one nearest above MODEL",
    )
    parser.add_argument("--json", action="store_true", help="for scripts, with all slices")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
      arguments: the command line; that of the process when None.

    Returns:
      The exit code.
    """
    try:
        return exits.exit_code(lambda: _run(_parser().parse_args(arguments)))
    except Exception as error:
        exits.tell_error(exits.reason(error))
        return exits.FAILED


def _run(options: argparse.Namespace) -> int:
    workspace = Workspace.at(options.output or f"output/{presets.DEFAULT}", None)
    records = _store(options, workspace)
    # Libraries that read the command line for flags must not find ours.
    del sys.argv[1:]
    with log_redirect.redirect_output(os.devnull) as out, contextlib.suppress(BrokenPipeError):
        out.write(_report(records, options.model or workspace.serving, options.json))
        out.flush()
    return DONE


def _store(options: argparse.Namespace, workspace: Workspace) -> store.Store:
    """Find the store to ask: the one named, of the output folder, or nearest above the model."""
    if options.metadata is not None:
        return store.parse(options.metadata)
    model = options.model
    if model is None or options.output is not None or is_uri(model):
        return store.SqliteStore(workspace.database)
    if "/" not in model and not os.path.exists(model):
        return store.SqliteStore(workspace.database)
    for folder in pathlib.Path(os.path.abspath(model)).parents:
        database = Workspace.at(str(folder), None).database
        if os.path.isfile(database):
            return store.SqliteStore(database)
    raise UserError(f"{model}: found no metadata store above it; name one with --metadata.")


def _report(records: store.Store, model: str, as_json: bool) -> str:
    opened = records.read()
    # These imports take seconds; what can be told without them was told.
    from pipeline.metadata import lineage, pushed_models
    from pipeline.reports import lineage_json, lineage_text, summary

    traced = lineage.trace(opened, pushed_models.find(opened, model, records.label))
    report = lineage_json.build(traced, records.label)
    return summary.as_json(report) if as_json else lineage_text.render(report)


if __name__ == "__main__":
    sys.exit(main())
