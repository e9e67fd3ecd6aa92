"""The same artifact whoever does the work: other processes, and a portable runner's workers."""

import pathlib

import pytest
from apache_beam.internal.gcp import auth
from apache_beam.options.pipeline_options import GoogleCloudOptions, WorkerOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow.internal import apiclient

from components.example_gen.component import InteractionsExampleGen
from components.example_gen.config import IngestConfig
from pipeline.config import beam
from tests.support import beam_workers, synthetic, wheel

# Several ranges of files and partitions of users, and both kinds of inputs input.
CONFIG = IngestConfig(split="temporal", min_user_interactions=8)
SMALL = {"range_bytes": 2000, "partition_bytes": 4000}

pytestmark = pytest.mark.seconds


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


@pytest.fixture(autouse=True)
def code_of_this_checkout(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(wheel.ROOT))


def test_two_threads_and_two_processes_write_the_bytes_that_one_does(generate):
    files, counts = generate()
    assert len(files) > 6
    assert min(counts["interactions"], counts["users"], counts["dropped_by_core"]) > 0
    threads = ("direct_running_mode=multi_threading", "direct_num_workers=2")
    for options in (threads, beam_workers.PROCESSES):
        assert generate(argv=beam_workers.arguments("direct", *options)) == (files, counts)


def test_a_task_in_a_container_reads_them_from_its_command(generate):
    options = ("direct_running_mode=multi_threading", "direct_num_workers=2")
    asked = beam.chosen(beam.BeamConfig(unguarded_ports=True), "direct", options)
    argv = beam.arguments(asked, image="registry/image:1")
    assert generate(argv=argv, in_container=True) == generate()


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    return beam_workers.environment(tmp_path_factory.mktemp("sdist"))


def test_a_portable_runner_with_workers_of_the_sdist_writes_them_too(generate, programs, tmp_path):
    expected = generate()
    with beam_workers.portable(programs, tmp_path) as options:
        argv = beam_workers.arguments("flink", *options)
        assert argv[0] == "--runner=PortableRunner"
        assert generate(argv=argv) == expected


def test_dataflow_gets_a_job_whose_workers_run_in_our_image(generate, monkeypatch):
    """All that Beam does to submit, but for the call of the service itself."""
    sent = []

    class Client:
        def __init__(self, *_):
            pass

        def create_job(self, job):
            sent.append(job)
            raise ConnectionError("not sent")

    monkeypatch.setattr(apiclient, "DataflowApplicationClient", Client)
    monkeypatch.setattr(auth, "get_service_credentials", lambda _: None)
    monkeypatch.setattr(GoogleCloudOptions, "_warn_if_soft_delete_policy_enabled", lambda *_: None)
    argv = beam_workers.arguments(
        "dataflow",
        "project=project",
        "region=europe-west4",
        "temp_location=gs://bucket/beam",
        "sdk_container_image=registry/image:1",
        "max_num_workers=9",
    )
    with pytest.raises(ConnectionError, match="not sent"):
        generate(argv=argv)
    (job,) = sent
    (environment,) = job.proto_pipeline.components.environments.values()
    image = beam_runner_api_pb2.DockerPayload.FromString(environment.payload).container_image
    assert image == "registry/image:1"
    assert job.options.view_as(WorkerOptions).max_num_workers == 9
    names = {t.unique_name for t in job.proto_pipeline.components.transforms.values()}
    assert {"Read", "ByPartition", "Sort", "Split", "Write[train]"} <= names
