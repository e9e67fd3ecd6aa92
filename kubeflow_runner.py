"""Compiles the pipeline for a cluster, submits it, and asks how a run is doing.

    python kubeflow_runner.py compile --target vertex --output pipeline.json
    python kubeflow_runner.py submit --target vertex --spec pipeline.json

With no arguments but MOVIELENS_CLUSTER it compiles pipeline.json for Vertex AI,
as TFX's command line expects: `tfx pipeline compile --engine=vertex
--pipeline_path=kubeflow_runner.py`. Read from the environment: MOVIELENS_CLUSTER
and MOVIELENS_CONFIG, the files that --cluster and --config name when these are
not given, MOVIELENS_PRESET for --preset, and KFP_TOKEN and KFP_COOKIES,
credentials for a Kubeflow Pipelines server. Exit codes: 0 done; 2 bad input or
configuration; 1 anything else.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import re
import sys
import warnings

from components.columns import TableConfig
from pipeline.cli import common, exits, raw_data
from pipeline.cli.print_schema import add_print_schema
from pipeline.config import beam
from pipeline.config import run as configuration
from pipeline.config.cluster import (
    PLACEHOLDER,
    ClusterConfig,
    beam_config,
    check_strategy,
    custom_job,
)
from pipeline.config.run import AUTO, FORMATS, TABLE, RunConfig
from pipeline.uris import is_uri
from schema.errors import UserError
from schema.settings import check

DONE = 0
TARGETS = ("vertex", "kfp")
DEFAULT_OUTPUT = "pipeline.json"
CLUSTER_VARIABLE = "MOVIELENS_CLUSTER"


def _parser() -> argparse.ArgumentParser:
    parser = common.Parser(
        prog="kubeflow_runner.py",
        description="Compiles the pipeline for Vertex AI or Kubeflow Pipelines, and submits it.",
        allow_abbrev=False,
    )
    add_print_schema(parser, ClusterConfig, "--cluster's file")
    commands = parser.add_subparsers(dest="command", required=True)
    where = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    where.add_argument("--target", choices=TARGETS, default=TARGETS[0])
    where.add_argument("--cluster", metavar="FILE", help="YAML: where and on which machines")
    compiler = commands.add_parser("compile", parents=[where], allow_abbrev=False)
    common.add_configuration(compiler)
    compiler.add_argument("--output", metavar="FILE", default=DEFAULT_OUTPUT, help=".json, .yaml")
    compiler.add_argument(
        "--baseline", metavar="URI", help="kfp: Model artifact to compare with and to start from"
    )
    common.add_force_bless(compiler)
    common.add_beam(compiler)
    submitter = commands.add_parser("submit", parents=[where], allow_abbrev=False)
    submitter.add_argument("--spec", metavar="FILE", default=DEFAULT_OUTPUT)
    submitter.add_argument("--parameter", metavar="NAME=VALUE", action="append", default=[])
    submitter.add_argument("--schedule", metavar="CRON", help="run again and again; default: once")
    submitter.add_argument("--no-cache", action="store_true", help="run every task")
    submitter.add_argument("--dry-run", action="store_true", help="print the request and stop")
    asker = commands.add_parser("status", parents=[where], allow_abbrev=False)
    asker.add_argument("run", metavar="RUN", help="as submit printed it")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
      arguments: the command line; that of the process when None.

    Returns:
      The exit code.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return exits.exit_code(lambda: _command(given or _unspoken()))
    except Exception as error:
        logging.debug("The command failed.", exc_info=True)
        exits.tell_error(exits.reason(error, 500))
        return exits.FAILED


def _unspoken() -> list[str]:
    """Return what no arguments mean; TFX's command line, which has none, brings a cluster."""
    check(
        bool(os.environ.get(CLUSTER_VARIABLE)),
        f"expected compile, submit or status, or {CLUSTER_VARIABLE} to compile for its cluster, "
        "got no arguments; --help lists them.",
    )
    return ["compile"]


def _command(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    cluster = _cluster(options.cluster or os.environ.get(CLUSTER_VARIABLE))
    _set_environment()
    if options.command == "compile":
        return _compile(options, cluster)
    if options.command == "submit":
        return _submit(options, cluster)
    from pipeline.runners import submit

    print(submit.status(options.target, cluster, options.run, _credentials(options)))
    return DONE


def _cluster(path: str | None) -> ClusterConfig:
    return configuration.read(path, ClusterConfig) if path else ClusterConfig()


def _set_environment() -> None:
    # TFRS, TFT and TFMA wrap Keras 2; TensorFlow reads this on its first import.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning)
    # It tells each retry; what came of them is told once. kfp sets the level of its parent.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    # Libraries that read the command line for flags must not find ours.
    del sys.argv[1:]


def _configuration(options: argparse.Namespace, cluster: ClusterConfig) -> RunConfig:
    """Read what to compile, checked as far as that needs no imports of seconds."""
    common.take_environment(options, os.environ)
    config = common.apply_overrides(common.base_config(options), options, {})
    check(
        options.baseline is None or options.target == "kfp",
        "--baseline: expected with --target kfp only; on Vertex AI a resolver finds it.",
    )
    if options.target == "vertex":
        check_strategy(config.trainer.strategy, cluster.vertex.training)
    else:
        common.check_one_process(config.trainer.strategy, "--target kfp")
    if importlib.util.find_spec("kfp") is None:
        from pipeline.runners.submit import missing

        raise UserError(missing("kfp"))
    return config


def _compile(options: argparse.Namespace, cluster: ClusterConfig) -> int:
    config = _configuration(options, cluster)
    root = cluster.root.rstrip("/")
    beam_arguments = _beam_arguments(options, cluster)
    raw = _data(config, root)
    beam.check_reachable(beam_arguments, {"root": root, "data.path": raw.folder})
    # These imports take seconds; what can be told without them was told.
    from absl import logging as absl_logging

    from pipeline.backend import Backend
    from pipeline.pipeline import RunPaths, create_pipeline
    from pipeline.runners.kubeflow import ClusterRunner

    absl_logging.set_verbosity(absl_logging.ERROR)
    name = "movielens-" + re.sub(r"[^a-z0-9]+", "-", config.data.label.lower())
    # What is served, and what a training goes on from, is one pipeline's.
    paths = RunPaths(
        input_base=raw.folder,
        format_name=raw.format_name,
        pipeline_root=f"{root}/artifacts",
        serving_dir=f"{root}/serving/{name}",
        checkpoints=f"{root}/checkpoints/{name}",
        table=raw.table,
    )
    job = custom_job(cluster) if options.target == "vertex" else None
    backend = Backend(options.target, options.baseline, job, cluster.vertex.region)
    pipeline = create_pipeline(
        name,
        config,
        paths,
        beam_pipeline_args=beam_arguments,
        backend=backend,
        force_bless=options.force_bless,
    )
    runner = ClusterRunner(options.target, cluster, options.output)
    tasks = runner.run(pipeline)["pipelineSpec"]["root"]["dag"]["tasks"]
    print(f"{options.output}: {name} for {options.target}, {len(tasks)} tasks")
    if PLACEHOLDER in f"{cluster.root} {cluster.image}":
        print(
            f"note: {cluster.root} and {cluster.image} are placeholders; "
            "give root and image in a file and name it by --cluster or MOVIELENS_CLUSTER.",
            file=sys.stderr,
        )
    return DONE


def _beam_arguments(options: argparse.Namespace, cluster: ClusterConfig) -> list[str]:
    asked = beam.chosen(cluster.beam, options.beam_runner, options.beam_option)
    asked = beam_config(cluster, asked, vertex=options.target == "vertex")
    return beam.arguments(asked, cluster.image)


def _data(config: RunConfig, root: str) -> raw_data.RawData:
    """Find the folder of raw files, as the tasks will see it, and their layout."""
    data = config.data
    check(
        data.synthetic is None,
        "data.path: expected a folder that the cluster can read; generate the data with "
        "movielens-dataset, copy it there and name the folder.",
    )
    if data.path is None:
        format_name = str(data.dataset if data.format == AUTO else data.format)
        check(
            format_name in FORMATS,
            f"data.format: expected the layout of {data.dataset}, got {data.format!r}.",
        )
        return raw_data.RawData(f"{root}/data/{data.dataset}", format_name, TableConfig(), {})
    check(
        is_uri(data.path) or not is_uri(root),
        f"data.path: {data.path} is on this machine, and the tasks run elsewhere; copy it to "
        f"{root}/data, say, and name that folder.",
    )
    path = raw_data.locate(data)
    if data.format not in (AUTO, TABLE):
        return raw_data.RawData(path, data.format, TableConfig(), {})
    raw = raw_data.inspect(data, path)
    raw_data.check_ratings(path, raw, config.trainer.model, config.trainer.predicts_ratings)
    return raw


def _submit(options: argparse.Namespace, cluster: ClusterConfig) -> int:
    from pipeline.runners import submit

    asked = submit.Submission(
        options.spec, tuple(options.parameter), options.schedule, not options.no_cache
    )
    calls = submit.request(options.target, cluster, asked)
    if options.dry_run:
        print(json.dumps(calls, indent=2))
    else:
        print(submit.send(options.target, calls, _credentials(options)))
    return DONE


def _credentials(options: argparse.Namespace) -> dict[str, str | None]:
    """Read credentials for a Kubeflow Pipelines server; Google's client finds its own."""
    if options.target == "vertex":
        return {}
    return {
        "existing_token": os.environ.get("KFP_TOKEN"),
        "cookies": os.environ.get("KFP_COOKIES"),
    }


if __name__ == "__main__":
    sys.exit(main())
