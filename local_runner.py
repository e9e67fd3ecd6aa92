"""Runs the pipeline on this machine: Beam in memory or elsewhere, ML Metadata in SQLite or MySQL.

`python local_runner.py` with no arguments takes ML-100K to a pushed model.
TFX's command line runs this file too: `tfx pipeline create --engine=local
--pipeline_path=local_runner.py`. Read from the environment: MOVIELENS_PRESET and
MOVIELENS_CONFIG, for --preset and --config when neither is given, and MYSQL_PWD,
the password of --metadata mysql://... where the URL has none. Exit codes: 0 pushed;
3 trained but not blessed; 2 bad input or configuration; 130 interrupted; 1 anything else.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import pathlib
import sys
import time
from typing import TYPE_CHECKING, TextIO

from components import served_folder
from pipeline.cli import common, exits, raw_data
from pipeline.cli.output_folder import Workspace, default_output
from pipeline.cli.print_schema import add_print_schema
from pipeline.config import beam, presets
from pipeline.config import run as configuration
from pipeline.config.run import RunConfig
from pipeline.metadata import store
from pipeline.uris import is_uri
from schema import settings
from trainer.config.models import MODELS

if TYPE_CHECKING:
    from pipeline.reports.console import RunConsole

PUSHED, NOT_BLESSED = 0, 3


def _parser() -> argparse.ArgumentParser:
    parser = common.Parser(
        prog="local_runner.py",
        description="Trains a recommender on MovieLens ratings, gates it and pushes it.",
        allow_abbrev=False,
    )
    common.add_configuration(parser)
    parser.add_argument("--model", metavar="M", help=f"{', '.join(MODELS)} (trainer.model)")
    parser.add_argument(
        "--tune", metavar="N", type=int, help="search with N trials first (tune.trials)"
    )
    common.add_force_bless(parser)
    common.add_beam(parser)
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="or a URI; default: output/<preset>, after the "
        "names of data and model where they are not the preset's",
    )
    parser.add_argument(
        "--serving", metavar="DIR", help="push models there; default: <output>/serving"
    )
    parser.add_argument(
        "--push-again",
        action="store_true",
        help="a version that was removed from the served folder, if nothing has changed since",
    )
    parser.add_argument("--summary", metavar="FILE", help="default: <output>/summary.json")
    parser.add_argument(
        "--metadata",
        metavar="URL",
        help="SQLite file or mysql://USER@HOST:PORT/DATABASE; default: <output>/metadata.sqlite",
    )
    parser.add_argument("--list-presets", action="store_true", help="list presets and stop")
    parser.add_argument("--print-config", action="store_true", help="print it as YAML and stop")
    add_print_schema(parser, RunConfig, "--config's file")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
      arguments: the command line; that of the process when None.

    Returns:
      The exit code.
    """
    return exits.exit_code(
        lambda: _command(arguments), "interrupted; start the same command again to go on"
    )


def _command(arguments: list[str] | None) -> int:
    options = _parser().parse_args(arguments)
    if options.list_presets:
        for name, preset in presets.PRESETS.items():
            print(f"{name:24} {preset.trainer.model} on {preset.data.dataset}")
        return 0
    common.take_environment(options, os.environ)
    base = common.base_config(options)
    config = common.apply_overrides(
        base,
        options,
        {"trainer.model": options.model, "tune.trials": options.tune},
    )
    common.check_one_process(config.trainer.strategy, "local_runner.py")
    if options.print_config:
        print(configuration.dump(config), end="")
        return 0
    name = pathlib.Path(options.config).stem if options.config else options.preset
    output = options.output or default_output(name or presets.DEFAULT, base, config)
    return _run(config, output, options)


@dataclasses.dataclass(frozen=True)
class _Run:
    """Hold what the command line asked for, checked as far as that takes no time."""

    config: RunConfig
    data: str
    raw: raw_data.RawData | None
    workspace: Workspace
    records: store.Store
    beam_arguments: list[str]
    force_bless: str | None
    push_again: bool
    started: float


def _run(config: RunConfig, output: str, options: argparse.Namespace) -> int:
    started = time.monotonic()
    named = store.parse(options.metadata) if options.metadata is not None else None
    # Asked before data is downloaded.
    asked = beam.chosen(beam.BeamConfig(), options.beam_runner, options.beam_option)
    _set_environment()
    beam_arguments = beam.arguments(asked)
    places = {"--output": output, "--serving": options.serving or output}
    beam.check_reachable(beam_arguments, places)
    data = raw_data.locate(config.data)
    beam.check_reachable(beam_arguments, {"data.path": data})
    # A missing column is told before TensorFlow, which URIs need, is loaded.
    raw = None if is_uri(data) else _inspect(config, data)
    workspace = Workspace.at(output, options.summary, options.serving)
    if not is_uri(workspace.serving):
        # Before the summary of whoever owns the folder is removed.
        served_folder.check_pipeline(workspace.serving, config.pipeline_name)
    records = _hide_password(named or store.SqliteStore(workspace.database))
    asked_of_gate = (options.force_bless, options.push_again)
    run = _Run(config, data, raw, workspace, records, beam_arguments, *asked_of_gate, started)
    return exits.with_log(workspace, lambda out: _execute(run, out))


def _inspect(config: RunConfig, data: str) -> raw_data.RawData:
    raw = raw_data.inspect(config.data, data)
    raw_data.check_ratings(data, raw, config.trainer.model, config.trainer.predicts_ratings)
    return raw


def _set_environment() -> None:
    # TFRS, TFT and TFMA wrap Keras 2; TensorFlow reads this on its first import.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    # Beam's worker processes must import the code that runs here, wherever they
    # are started and whatever is installed.
    here = str(pathlib.Path(__file__).resolve().parent)
    paths = [here, os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    # Libraries that read the command line for flags must not find ours.
    del sys.argv[1:]


def _hide_password(records: store.Store) -> store.Store:
    if isinstance(records, store.MySqlStore) and records.password:
        # TFX logs what it connects to. ML Metadata's client library takes the password from here.
        os.environ["MYSQL_PWD"] = records.password
        return dataclasses.replace(records, password="")
    return records


def _check_devices(config: RunConfig) -> None:
    """Ask for the TPU before the data are read; the Trainer would do so after minutes."""
    if config.trainer.strategy != "tpu":
        return
    from trainer.distribution.strategy import check_devices

    # Connected to a TPU, this process would place the other components' work there.
    apart = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=apart) as process:
        process.submit(check_devices, config.trainer).result()


def _execute(run: _Run, out: TextIO) -> int:
    config, workspace = run.config, run.workspace
    run.records.check()
    served_folder.check_pipeline(workspace.serving, config.pipeline_name)
    raw = run.raw or _inspect(config, run.data)
    _check_devices(config)
    # These imports take seconds; what can be told without them was told.
    from pipeline.metadata import lost_artifacts, store_id
    from pipeline.pipeline import RunPaths, create_pipeline
    from pipeline.reports.console import RunConsole
    from pipeline.runners.local import ReportingRunner

    console = RunConsole(out)
    console.introduce(config.trainer.model, run.data, raw.format_name, workspace.output)
    if columns := raw.describe():
        console.note(columns)
    paths = RunPaths(
        raw.folder,
        raw.format_name,
        workspace.artifacts,
        workspace.serving,
        workspace.checkpoints,
        raw.table,
    )
    connection = run.records.connection()
    store_id.claim(connection, workspace.output, workspace.artifacts, run.records.label)
    for loss in lost_artifacts.forget(connection, workspace.artifacts):
        console.note(f"{loss}, so it is not reused")
    lost_artifacts.sweep(connection, workspace.artifacts)
    runner = ReportingRunner(console, json.dumps(settings.to_dict(config)), run.beam_arguments)
    runner.run(
        create_pipeline(
            config.pipeline_name, config, paths, connection, force_bless=run.force_bless
        )
    )
    if runner.run_id is None:
        # TFX's command line only wanted to see the pipeline.
        return PUSHED
    return _conclude(run, runner.run_id, raw.format_name, console)


def _conclude(run: _Run, run_id: str, format_name: str, console: RunConsole) -> int:
    """Write and show what came of a pipeline run; return the exit code."""
    from components import pusher
    from pipeline.metadata import runs as metadata
    from pipeline.node_ids import INTERACTIONS, PUSHER
    from pipeline.reports import sample_recommendations, summary

    config, workspace = run.config, run.workspace
    runs = metadata.read_run(run.records.connection(), run_id)
    outcome = summary.read_outcome(runs)
    if outcome.pushed:
        archive = runs[PUSHER].outputs["pushed_model"][0].uri
        there = pusher.restore(archive, outcome.pushed, run.push_again)
        outcome = dataclasses.replace(outcome, removed=not there)
    facts = {
        "id": run_id,
        "data": run.data,
        "format": format_name,
        "output": workspace.output,
        "metadata": run.records.label,
        "log": str(workspace.log),
        "seconds": round(time.monotonic() - run.started, 3),
    }
    summary.write(summary.build(config, facts, outcome), workspace.summary)
    console.report(outcome, config.evaluation, config.gate.protocol, workspace.summary)
    if outcome.pushed is None:
        return NOT_BLESSED
    if outcome.removed:
        return PUSHED
    examples = runs[INTERACTIONS].outputs["examples"][0].uri
    console.recommend(sample_recommendations.recommend(outcome.pushed, examples, users=2, k=5))
    return PUSHED


if __name__ == "__main__":
    sys.exit(main())
