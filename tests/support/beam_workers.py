"""Beam's workers elsewhere: a portable job server, and a worker pool that has only our sdist."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
from collections.abc import Iterator

import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.local_job_service import LocalJobServicer
from apache_beam.runners.portability.stager import Stager

from pipeline.config import beam
from tests.support import ports, wheel

PROCESSES = ("direct_running_mode=multi_processing", "direct_num_workers=2")


def arguments(runner: str, *options: str) -> list[str]:
    """Beam's arguments as the local runner has them."""
    return beam.arguments(beam.chosen(beam.BeamConfig(), runner, options))


def environment(folder: pathlib.Path) -> pathlib.Path:
    """An environment with what Beam builds of `setup_file`; returns its folder of programs."""
    setup_file = wheel.copied(folder) / "setup.py"
    argv = arguments("flink", "job_endpoint=h:1", f"setup_file={setup_file}")
    Stager.create_job_resources(PipelineOptions(argv), str(folder))
    (sdist,) = folder.glob("movielens_tfx-*.tar.gz")
    return wheel.environment(sdist, folder / "environment")


@contextlib.contextmanager
def portable(programs: pathlib.Path, home: pathlib.Path) -> Iterator[tuple[str, ...]]:
    """Serves jobs as Flink's and Spark's job servers do; yields the options that lead there.

    Beam's own job service runs the stages, in this process. The workers are
    processes of a pool, as it stands beside the task managers of a cluster.
    """
    with _job_server(home / "staging") as endpoint, _worker_pool(programs, home) as pool:
        yield (
            f"job_endpoint={endpoint}",
            "environment_type=EXTERNAL",
            f"environment_config={pool}",
            # Seconds; the default is a minute, which a busy machine may need for less.
            "job_server_timeout=600",
        )


@contextlib.contextmanager
def _job_server(staging: pathlib.Path) -> Iterator[str]:
    server = LocalJobServicer(str(staging))
    try:
        yield f"localhost:{server.start_grpc_server()}"
    finally:
        server.stop()


@contextlib.contextmanager
def _worker_pool(programs: pathlib.Path, home: pathlib.Path) -> Iterator[str]:
    (port,) = ports.free()
    command = [str(programs / "python"), "-m", "apache_beam.runners.worker.worker_pool_main"]
    log = open(home / "pool.log", "w")  # noqa: SIM115
    process = subprocess.Popen(
        [*command, f"--service_port={port}"],
        cwd=home,
        env=wheel.variables(programs, home),
        stdout=log,
        stderr=log,
    )
    try:
        with grpc.insecure_channel(f"localhost:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=60)
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(30)
        log.close()
