"""BeamConfig: who does the work of the Beam components, and how that is asked for.

Ingest, statistics, Transform and Evaluator run on Apache Beam. Which of Beam's
runners does it changes how long that takes, never what it gives. Read by both
runners, from their arguments and from the cluster file. Options have Beam's own
names and go through Beam's own parsers, because Beam itself drops the names
that it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from pipeline.config.beam_options import (
    DATAFLOW,
    DIRECT,
    FLINK,
    IMAGE,
    RUNNERS,
    SETUP_FILE,
    SPARK,
    OptionParser,
    Runner,
)
from pipeline.uris import is_uri
from schema.errors import UserError
from schema.settings import Key, Settings, check, check_choice, from_dict

_ENDPOINT = "job_endpoint"
# Of Flink and Spark: the option that names the cluster, and what it must look
# like where the work is done on this machine.
_MASTERS = {
    FLINK: ("flink_master", re.compile(r"\[(local|auto)\]")),
    SPARK: ("spark_master_url", re.compile(r"local(\[.+\])?")),
}

# Where the workers of Flink and Spark are, and what has to be said of it.
_DOCKER, _LOOPBACK = "DOCKER", "LOOPBACK"
_ENVIRONMENTS = {
    _DOCKER: "which image",
    "PROCESS": "the command that starts a worker",
    "EXTERNAL": "the address of the worker pool",
    _LOOPBACK: "nothing",
}

_CLASSES = {
    DIRECT: "DirectRunner",
    FLINK: "FlinkRunner",
    SPARK: "SparkRunner",
    DATAFLOW: "DataflowRunner",
}


class BeamConfig(Settings):
    """Name a Beam runner, with which options."""

    runner: Runner = DIRECT
    """Of Beam; direct is the machine that runs the component."""
    options: dict[Key, Any] = Field(default_factory=dict)
    """Values by Beam's own names, such as {"direct_num_workers": 2}; true for a flag, a list for an
    option that is given several times.
    """
    unguarded_ports: bool = False
    """Of tasks in containers: let Beam have several workers, to whom it speaks over ports that
    answer whoever reaches the container (docs/deploy.md).
    """


def chosen(start: BeamConfig, runner: str | None, assignments: Sequence[str]) -> BeamConfig:
    """Apply the command line to a configuration.

    Args:
      start: what to start from; of another runner, its options are left behind.
      runner: of `--beam-runner`, None where it was not given.
      assignments: of `--beam-option`, such as "direct_num_workers=2"; a name
        that comes again adds a value to a list.

    Returns:
      The configuration.

    Raises:
      UserError: no such runner, or an assignment without "=".
    """
    given: dict[str, list[str]] = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator or not name.strip():
            raise UserError(f"--beam-option: expected NAME=VALUE, got {assignment!r}.")
        given.setdefault(name.strip().removeprefix("--"), []).append(value)
    if runner is not None:
        check_choice("--beam-runner", runner, RUNNERS)
    kept = start.options if runner in (None, start.runner) else {}
    chosen = {"runner": runner or start.runner, "options": {**kept, **given}}
    return from_dict(BeamConfig, {**chosen, "unguarded_ports": start.unguarded_ports})


def arguments(config: BeamConfig, image: str | None = None) -> list[str]:
    """Build the command line that Beam reads in every Beam component.

    Args:
      config: what to ask for.
      image: that the components run in and Beam's workers may use too; None for
        components on this machine.

    Returns:
      Beam's arguments; empty for the direct runner without options.

    Raises:
      UserError: an option that the runner does not know or that is missing, or
        a bad value.
    """
    if (config.runner, config.options) == (DIRECT, {}):
        return []
    parser = OptionParser(config.runner)
    argv = [a for name, value in config.options.items() for a in parser.argv_of(name, value)]
    given = vars(parser.parse_args(argv))
    check(
        image is None or not given.get(SETUP_FILE),
        f"beam: {SETUP_FILE}: expected with local_runner.py only; a task's container holds no such "
        "file, and workers take our packages from its image.",
    )
    named = given.get(IMAGE) or image
    own = []
    if config.runner == DIRECT:
        _check_direct(given, guarded=image is None or config.unguarded_ports)
    elif config.runner == DATAFLOW:
        _check_dataflow(given, named)
    else:
        own = _portable(config, given, image)
    if named and not given.get(IMAGE):
        # TFX packs its own sources for the workers, unless an image is named;
        # of Beam's runners only Dataflow's looks at this name of it.
        own.append(f"--{IMAGE}={named}")
    return [f"--runner={_class(config.runner, given)}", *argv, *own]


def check_reachable(argv: Sequence[str], paths: Mapping[str, str]) -> None:
    """Refuses local paths where Beam's workers are sure not to see them.

    Args:
      argv: of `arguments`.
      paths: folders that workers read or write, by what names them to the user.

    Raises:
      UserError: a local path, and workers in containers or on Dataflow.
    """
    if not {"--runner=DataflowRunner", f"--environment_type={_DOCKER}"} & set(argv):
        return
    for name, path in paths.items():
        check(
            is_uri(path),
            f"{name}: expected a URI such as gs://bucket/folder, since Beam's workers do not see "
            f"this machine's files, got {path!r}.",
        )


def _class(runner: str, given: Mapping[str, Any]) -> str:
    """Beam's class of the runner."""
    # Beam's own classes for Flink and Spark start job servers. Given one, they
    # would still take the workers to be here unless a master is named too.
    return "PortableRunner" if given.get(_ENDPOINT) else _CLASSES[runner]


def is_direct(argv: Sequence[str]) -> bool:
    """Tell whether this machine does the work.

    Args:
      argv: of `arguments`.
    """
    return f"--runner={_CLASSES[DIRECT]}" in argv


def _check_direct(given: Mapping[str, Any], guarded: bool) -> None:
    workers, mode = given["direct_num_workers"], given["direct_running_mode"]
    check(
        guarded or mode == "in_memory",
        f"beam: direct_running_mode: expected in_memory in a task's container, got {mode}, whose "
        "ports answer whoever reaches the container; unguarded_ports: true in the cluster file's "
        "beam allows that.",
    )
    check(
        workers == 1 or mode != "in_memory",
        "beam: direct_num_workers: expected together with direct_running_mode=multi_processing or "
        f"multi_threading, got {workers} alone.",
    )


def _check_dataflow(given: Mapping[str, Any], image: str | None) -> None:
    missing = [name for name in ("project", "region", "temp_location") if not given[name]]
    check(not missing, f"beam: the dataflow runner needs the options {', '.join(missing)} too.")
    check(
        given["temp_location"].startswith("gs://"),
        f"beam: temp_location: expected a gs:// URI, got {given['temp_location']!r}.",
    )
    _check_packages(DATAFLOW, image or given[SETUP_FILE])


def _check_packages(runner: str, source: Any) -> None:
    check(
        bool(source),
        f"beam: the {runner} runner's workers need our packages: expected the option {IMAGE}, an "
        f"image that holds them, or {SETUP_FILE}=setup.py, got neither.",
    )


def _portable(config: BeamConfig, given: Mapping[str, Any], image: str | None) -> list[str]:
    """Check what Flink and Spark need; arguments that say where the workers are."""
    runner = config.runner
    master, here = _MASTERS[runner]
    endpoint, sends_jar = given[_ENDPOINT], given[f"{runner}_submit_uber_jar"]
    check(
        bool(endpoint or sends_jar) or (image is None and master in config.options),
        f"beam: the {runner} runner needs the option {_ENDPOINT}=HOST:PORT of a job server"
        + (f", or {master}." if image is None else "; the image has no Java to start one."),
    )
    local = not endpoint and here.fullmatch(given[master])
    kind = given["environment_type"] or (_LOOPBACK if local else _DOCKER)
    check_choice("beam: environment_type", kind, (*_ENVIRONMENTS,))
    told = given["environment_config"] or given["environment_options"]
    named = given.get(IMAGE)
    if kind == _DOCKER:
        named = named or image
        _check_packages(runner, named or told or given[SETUP_FILE])
    else:
        check(named is None, f"beam: {IMAGE}: expected with environment_type=DOCKER, got {kind}.")
        check(
            bool(told) or kind == _LOOPBACK,
            f"beam: environment_type={kind} needs the option environment_config, which says "
            f"{_ENVIRONMENTS[kind]}.",
        )
        check(
            image is None or kind != _LOOPBACK,
            "beam: environment_type=LOOPBACK: expected on one machine only, with local_runner.py.",
        )
    own = [] if given["environment_type"] else [f"--environment_type={kind}"]
    if named and not told:
        own.append(f"--environment_config={named}")
    return own
