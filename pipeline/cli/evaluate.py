"""The command `movielens-evaluate`: any exported model, any data, any protocol.

It reads raw files as the pipeline does, or takes an Examples artifact's folder,
wraps the model under the configured evaluation settings and lets TFMA measure
it. No pipeline runs, nothing is recorded, and there is no gate. Exit codes: 0
done; 2 bad input or configuration; 130 interrupted; 1 anything else.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, TextIO

from tfx.utils import path_constants

from components import served_folder
from pipeline.cli import common, exits, raw_data
from pipeline.cli.output_folder import Workspace
from pipeline.cli.steps import Counted, step
from pipeline.config.run import DataConfig
from pipeline.uris import check_known, is_uri
from schema import features, settings
from schema.atomic_write import files_of
from schema.errors import UserError
from schema.keys import SAVED_MODEL_FILE
from trainer.config.evaluation import EvaluationConfig

if TYPE_CHECKING:
    from components.evaluator.gate.results import SliceResult
    from components.evaluator.known import Known
    from pipeline.reports.console import RunConsole

# Of the JSON file; changes when a key changes its meaning or goes away.
VERSION = 1
DONE = 0

# Below it, model and data most likely have nothing to do with each other.
_MIN_KNOWN = 0.1


class Evaluated(settings.Settings):
    """Hold what of a RunConfig an evaluation depends on, for `--set`."""

    data: DataConfig
    """Which data."""
    evaluation: EvaluationConfig
    """How held-out items are ranked and measured."""


def _parser() -> argparse.ArgumentParser:
    parser = common.Parser(
        prog="movielens-evaluate",
        description="Evaluates an exported model on held-out interactions, under any protocol.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "model", metavar="MODEL", help="SavedModel, Model artifact or served folder (its newest)"
    )
    common.add_configuration(parser)
    parser.add_argument(
        "--examples", metavar="DIR", help="folder of an Examples artifact instead of raw files"
    )
    parser.add_argument("--output", metavar="DIR", help="default: output/evaluation")
    parser.add_argument("--metrics", metavar="FILE", help="default: <output>/metrics.json")
    parser.add_argument(
        "--min-known",
        metavar="SHARE",
        type=float,
        default=_MIN_KNOWN,
        help="refuse where the model knows fewer of the users or items; default: %(default)s",
    )
    parser.add_argument(
        "--ranks",
        metavar="FILE",
        help="also write the rank of every held-out item, .csv or .parquet",
    )
    parser.add_argument(
        "--quote-formulas",
        action="store_true",
        help="in --ranks FILE.csv, ids that begin with =, +, - or @ get ' before them",
    )
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
    run = common.base_config(options)
    config = common.apply_overrides(
        Evaluated(data=run.data, evaluation=run.evaluation), options, {}
    )
    # Libraries that read the command line for flags must not find ours.
    del sys.argv[1:]
    if options.examples and options.data:
        raise UserError("--examples: expected either this or --data, got both.")
    if options.ranks and not options.ranks.endswith((".csv", ".parquet")):
        raise UserError(
            f"--ranks: expected a file ending in .csv or .parquet, got {options.ranks!r}."
        )
    if options.quote_formulas and not (options.ranks or "").endswith(".csv"):
        raise UserError(
            f"--quote-formulas: expected with --ranks FILE.csv only, got --ranks {options.ranks}."
        )
    if not 0 <= options.min_known <= 1:
        raise UserError(f"--min-known: expected a share in [0, 1], got {options.min_known}.")
    _check_writable(options.ranks or "")
    model = options.model
    if not is_uri(model):
        # Told at once; what a URI holds is asked when TensorFlow is loaded.
        model = _saved_model(model)
    data = options.examples or raw_data.locate(config.data)
    if not options.examples and not is_uri(data):
        # A missing column is told before the libraries are loaded.
        raw_data.inspect(config.data, data)
    output = options.output or "output/evaluation"
    workspace = Workspace.at(output, options.metrics or os.path.join(output, "metrics.json"))
    return exits.with_log(
        workspace, lambda out: _evaluate(config, options, model, data, workspace, out)
    )


def _check_writable(ranks: str) -> None:
    """Tell at once what would come to light when all ranks are counted."""
    folder = os.path.dirname(os.path.abspath(ranks))
    writable = os.path.isdir(folder) and os.access(folder, os.W_OK) and not os.path.isdir(ranks)
    if ranks and not is_uri(ranks) and not writable:
        raise UserError(f"--ranks: expected a file in a folder that can be written, got {ranks!r}.")


def _saved_model(given: str) -> str:
    """Find the SavedModel in a SavedModel's, an artifact's or a served folder."""
    files = files_of(given)
    for folder in (given, os.path.join(given, path_constants.SERVING_MODEL_DIR)):
        if files.exists(os.path.join(folder, SAVED_MODEL_FILE)):
            return folder.rstrip("/")
    newest = served_folder.newest(given)
    if newest is None:
        raise UserError(
            f"MODEL: expected a folder with {SAVED_MODEL_FILE}, a Model artifact or a served "
            f"folder, got {given!r}."
        )
    return newest


def _evaluate(
    config: Evaluated,
    options: argparse.Namespace,
    model: str,
    data: str,
    workspace: Workspace,
    out: TextIO,
) -> int:
    # These imports take seconds; what can be told without them was told.
    from pipeline.reports import summary
    from pipeline.reports.console import RunConsole

    started = time.monotonic()
    for path in (model, options.examples, options.ranks):
        check_known(path or "")
    if is_uri(model):
        model = _saved_model(model)
    console = RunConsole(out)
    facts: dict[str, Any] = {"model": model, "log": str(workspace.log)}
    with tempfile.TemporaryDirectory(dir=workspace.here, prefix=".unfinished-") as scratch:
        if options.examples:
            examples = data
            facts["examples"] = examples
        else:
            raw = raw_data.inspect(config.data, data)
            facts |= {"data": data, "format": raw.format_name}
            if columns := raw.describe():
                console.note(columns)
            examples = os.path.join(scratch, "examples")
            with step(console, "ingest"):
                facts["counts"] = _ingest(config, raw, examples)
        files = _held_out(examples)
        known = _known(model, files, options.min_known)
        facts["known"] = dataclasses.asdict(known)
        console.note(f"the model knows {known}")
        results = _measure(config, model, files, scratch, console, options)
    facts["seconds"] = round(time.monotonic() - started, 3)
    console.figures(results, config.evaluation, next(iter(config.evaluation.protocols)))
    written = {
        "metrics_version": VERSION,
        "run": facts,
        "evaluation": settings.to_dict(config.evaluation),
        "metrics": [dataclasses.asdict(result) for result in results],
        "versions": summary.versions(),
    }
    summary.write(written, workspace.summary)
    if options.ranks:
        console.wrote("ranks", options.ranks)
    console.wrote("metrics", workspace.summary)
    return DONE


def _ingest(config: Evaluated, raw: raw_data.RawData, examples: str) -> dict[str, int]:
    """Read raw files into Examples, as the pipeline's generator does; return its counts."""
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import standard_artifacts

    from components.example_gen import counts
    from components.example_gen.component import InteractionsExampleGen

    generator = InteractionsExampleGen(
        raw.folder, raw.format_name, config.data.ingest, source_digest="", table=raw.table
    )
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=[], tmp_dir=os.path.join(examples, ".temporary"), unique_id="ingest"
    )
    artifact = standard_artifacts.Examples()
    artifact.uri = examples
    generator.executor_spec.executor_class(context).Do(
        {}, {"examples": [artifact]}, dict(generator.exec_properties)
    )
    return {name: artifact.get_int_custom_property(name) for name in counts.INTERACTION_COUNTS}


def _held_out(examples: str) -> list[str]:
    """Find the files of the held-out rows."""
    from tfx.dsl.io import fileio

    pattern = os.path.join(examples, f"Split-{features.TEST}", "*")
    files = sorted(fileio.glob(pattern))
    if not files:
        raise UserError(f"{examples}: expected a folder with held-out rows, found no {pattern!r}.")
    return files


def _known(model: str, files: list[str], least: float) -> Known:
    """Count what the model knows of the held-out rows; refuse where that is next to nothing."""
    from components.evaluator.known import count_known
    from components.evaluator.ranking.wrap import load_model

    known = count_known(load_model(model), files)
    if known.users and known.share < least:
        raise UserError(
            f"{model}: expected a model of this data, got one that knows {known}; --min-known 0 "
            f"evaluates it all the same."
        )
    return known


def _measure(
    config: Evaluated,
    model: str,
    files: list[str],
    scratch: str,
    console: RunConsole,
    options: argparse.Namespace,
) -> list[SliceResult]:
    """Evaluate the model on the held-out rows; write ranks where asked for."""
    from components.evaluator import analysis
    from components.evaluator.eval_config import build_eval_config
    from components.evaluator.gate.result_files import read_metrics
    from components.evaluator.measuring import shared_model
    from components.evaluator.ranking.wrap import wrap_for_evaluation

    evaluation, figures = config.evaluation, os.path.join(scratch, "figures")
    shared = shared_model(
        "candidate", model, functools.partial(wrap_for_evaluation, model, evaluation)
    )
    with step(console, "load the model"):
        loaded = shared.model_loader.load()
    with step(console, "evaluate"):
        eval_config = build_eval_config(evaluation, "", loaded.predicts_ratings)
        analysis.measure(shared, files, eval_config, figures)
    results = read_metrics(figures)
    if not results:
        raise UserError(f"{os.path.dirname(files[0])}: expected held-out rows, found none.")
    if options.ranks:
        counted, names = Counted(console, results[0].count), tuple(evaluation.protocols)
        with step(console, "ranks"):
            analysis.write_ranks(
                loaded, files, names, options.ranks, counted, options.quote_formulas
            )
    return results


if __name__ == "__main__":
    sys.exit(main())
