"""The same artifact whoever does the work: other processes, and a portable runner's workers."""

import contextlib
import pathlib
import socket
import subprocess

import grpc
import pytest
import synthetic
import wheel
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions
from apache_beam.runners.portability.local_job_service import LocalJobServicer
from apache_beam.runners.portability.stager import Stager

from components.example_gen.component import InteractionsExampleGen
from components.example_gen.config import IngestConfig
from pipeline import beam

# Several ranges of files and partitions of users, and both kinds of side input.
CONFIG = IngestConfig(split="temporal", min_user_interactions=8)
SMALL = {"range_bytes": 2000, "partition_bytes": 4000}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return synthetic.write(tmp_path_factory.mktemp("raw"), "ml-100k", users=40, items=30).folder


@pytest.fixture
def generate(run_generator, folder):
    def run(**arguments):
        component = InteractionsExampleGen(str(folder), "ml-100k", CONFIG, "digest")
        artifact = run_generator(component, **SMALL, **arguments)
        root = pathlib.Path(artifact.uri)
        files = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*.gz")}
        properties = artifact.mlmd_artifact.custom_properties
        return files, {name: value.int_value for name, value in properties.items()}

    return run


def _asked(runner, *options):
    return beam.arguments(beam.chosen(beam.BeamConfig(), runner, options))


@pytest.fixture(autouse=True)
def code_of_this_checkout(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(wheel.ROOT))


PROCESSES = ("direct_running_mode=multi_processing", "direct_num_workers=2")


def test_two_processes_write_the_bytes_that_one_does(generate):
    files, counts = generate()
    assert len(files) > 6
    assert min(counts["interactions"], counts["users"], counts["dropped_by_core"]) > 0
    assert generate(argv=_asked("direct", *PROCESSES)) == (files, counts)


@contextlib.contextmanager
def _job_server(staging):
    """The portable job service of Beam, as Flink's and Spark's job servers offer it."""
    server = LocalJobServicer(str(staging))
    try:
        yield f"localhost:{server.start_grpc_server()}"
    finally:
        server.stop()


@contextlib.contextmanager
def _worker_pool(programs, home):
    """What runs beside a cluster's task managers, with our code from the sdist alone."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
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


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """An environment with what Beam builds of `setup_file`, as its workers install it."""
    folder = tmp_path_factory.mktemp("sdist")
    setup_file = wheel.copied(folder) / "setup.py"
    options = PipelineOptions(_asked("flink", "job_endpoint=h:1", f"setup_file={setup_file}"))
    assert options.view_as(SetupOptions).setup_file == str(setup_file)
    Stager.create_job_resources(options, str(folder))
    (sdist,) = folder.glob("movielens_tfx-*.tar.gz")
    return wheel.environment(sdist, folder / "environment")


def test_a_portable_runner_with_workers_of_the_sdist_writes_them_too(generate, programs, tmp_path):
    expected = generate()
    with _job_server(tmp_path / "staging") as endpoint, _worker_pool(programs, tmp_path) as pool:
        place = (f"job_endpoint={endpoint}", "environment_type=EXTERNAL")
        argv = _asked("flink", *place, f"environment_config={pool}")
        assert argv[0] == "--runner=PortableRunner"
        assert generate(argv=argv) == expected
