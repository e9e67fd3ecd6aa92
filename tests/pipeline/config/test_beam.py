"""What is asked of Beam: each runner's arguments, and each mistake in one sentence."""

import os
import pathlib
import re

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.transforms.environments import (
    DockerEnvironment,
    Environment,
    ExternalEnvironment,
)
from tfx.utils import dependency_utils

from pipeline.config import beam
from pipeline.config.beam import BeamConfig
from pipeline.config.beam_options import RUNNERS, OptionParser
from schema.errors import UserError

GOOGLE = ("project=p", "region=europe-west4", "temp_location=gs://b/t")
SETUP = pathlib.Path(__file__).resolve().parents[3] / "setup.py"


def _asked(runner, *options, image=None):
    return beam.arguments(beam.chosen(BeamConfig(), runner, options), image)


def _given(argv):
    """What Beam itself makes of the arguments; it warns of and drops what it does not know."""
    return PipelineOptions(argv).get_all_options(drop_default=True)


def test_the_default_asks_nothing_of_beam():
    assert beam.arguments(BeamConfig()) == []
    assert _asked("direct", image="image") == []


@pytest.mark.parametrize(
    ("runner", "options", "expected"),
    [
        (
            "direct",
            ("direct_running_mode=multi_threading", "direct_num_workers=2"),
            {
                "runner": "DirectRunner",
                "direct_running_mode": "multi_threading",
                "direct_num_workers": 2,
            },
        ),
        (
            "flink",
            ("flink_master=[local]", "parallelism=4"),
            {
                "runner": "FlinkRunner",
                "flink_master": "[local]",
                "environment_type": "LOOPBACK",
                "parallelism": 4,
            },
        ),
        (
            "spark",
            ("--spark_master_url=local[2]",),
            {
                "runner": "SparkRunner",
                "spark_master_url": "local[2]",
                "environment_type": "LOOPBACK",
            },
        ),
        (
            "spark",
            ("job_endpoint=h:8099", "environment_type=EXTERNAL", "environment_config=h:50000"),
            {
                "runner": "PortableRunner",
                "job_endpoint": "h:8099",
                "environment_type": "EXTERNAL",
                "environment_config": "h:50000",
            },
        ),
        (
            "dataflow",
            (*GOOGLE, "sdk_container_image=i:1", "max_num_workers=9", "no_use_public_ips=true"),
            {
                "runner": "DataflowRunner",
                "project": "p",
                "region": "europe-west4",
                "temp_location": "gs://b/t",
                "sdk_container_image": "i:1",
                "max_num_workers": 9,
                "use_public_ips": False,
            },
        ),
    ],
)
def test_beam_reads_what_was_asked(runner, options, expected):
    assert _given(_asked(runner, *options)) == expected


def test_options_may_be_lists_and_flags_and_numbers():
    config = BeamConfig(
        runner="flink",
        options={
            "flink_master": "h:8081",
            "flink_submit_uber_jar": True,
            "parallelism": 3,
            "experiments": ["a", "b"],
            "sdk_container_image": "i:1",
        },
    )
    given = _given(beam.arguments(config))
    assert (given["flink_submit_uber_jar"], given["parallelism"]) == (True, 3)
    assert given["experiments"] == ["a", "b"]


@pytest.mark.seconds
def test_the_image_reaches_the_workers_of_a_portable_runner():
    """Beam takes `sdk_container_image` there without a word, and runs its own image."""
    for argv in (
        _asked("flink", "flink_master=h:8081", "sdk_container_image=i:1"),
        _asked("spark", "job_endpoint=h:8099", image="i:1"),
    ):
        environment = PortableRunner._create_environment(PipelineOptions(argv))
        assert isinstance(environment, DockerEnvironment)
        assert environment.container_image == "i:1"


def test_a_named_environment_is_what_the_workers_run_in():
    argv = _asked(
        "flink",
        "job_endpoint=h:8099",
        "environment_type=EXTERNAL",
        "environment_config=h:50000",
        image="i:1",
    )
    environment = Environment.from_options(PipelineOptions(argv))
    assert isinstance(environment, ExternalEnvironment)
    assert environment.url == "h:50000"


@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("direct", ("direct_num_workers=1",)),
        ("flink", ("job_endpoint=h:1",)),
        ("spark", ("job_endpoint=h:1", "environment_type=EXTERNAL", "environment_config=h:2")),
        ("dataflow", GOOGLE),
    ],
)
def test_tasks_in_containers_need_not_pack_tfx_for_the_workers(runner, options, monkeypatch):
    monkeypatch.setattr(dependency_utils, "build_ephemeral_package", lambda: pytest.fail("packs"))
    argv = _asked(runner, *options, image="i:1")
    assert dependency_utils.make_beam_dependency_flags(argv) == argv


def test_a_setup_file_is_handed_on_with_its_folder(monkeypatch):
    monkeypatch.chdir(SETUP.parent)
    given = _given(_asked("dataflow", *GOOGLE, "setup_file=setup.py"))
    assert os.path.samefile(given["setup_file"], SETUP)
    assert os.path.isabs(given["setup_file"])


def test_another_runner_leaves_the_options_of_the_cluster_file_behind():
    start = BeamConfig(runner="flink", options={"job_endpoint": "h:1", "parallelism": 2})
    assert beam.chosen(start, None, ()) == start
    assert beam.chosen(start, "flink", ["parallelism=4"]).options == {
        "job_endpoint": "h:1",
        "parallelism": ["4"],
    }
    assert beam.chosen(start, "direct", ()) == BeamConfig()


@pytest.mark.parametrize(
    ("runner", "options", "message"),
    [
        ("flnk", (), "--beam-runner: expected one of direct, flink, spark, dataflow, got 'flnk'"),
        ("flink", ("parallelism",), "--beam-option: expected NAME=VALUE, got 'parallelism'."),
        ("flink", ("paralelism=2",), "no option 'paralelism'; did you mean 'parallelism'?"),
        ("direct", ("flink_master=h",), "no option 'flink_master', it belongs to flink."),
        ("direct", ("setup_file=setup.py",), "it belongs to flink and spark and dataflow."),
        ("direct", ("runner=FlinkRunner",), "the direct runner has no option 'runner'"),
        ("direct", ("direct_num_workers=two",), "direct_num_workers: invalid int value: 'two'."),
        (
            "direct",
            ("direct_running_mode=fast",),
            "direct_running_mode: invalid choice: 'fast'",
        ),
        ("direct", ("direct_num_workers=2",), "expected together with direct_running_mode=multi_"),
        ("flink", ("flink_submit_uber_jar=yes",), "expected true, or to be left out, got 'yes'."),
        ("flink", (), "needs the option job_endpoint=HOST:PORT of a job server, or flink_master."),
        ("spark", (), "or spark_master_url."),
        ("spark", ("spark_master_url=spark://h:7077",), "workers need our packages"),
        ("flink", ("job_endpoint=h:1",), "workers need our packages"),
        (
            "flink",
            ("job_endpoint=h:1", "environment_type=EXTERNAL"),
            "environment_type=EXTERNAL needs the option environment_config, which says the address",
        ),
        ("flink", ("job_endpoint=h:1", "environment_type=X"), "expected one of DOCKER, PROCESS"),
        (
            "flink",
            ("flink_master=[local]", "sdk_container_image=i:1"),
            "sdk_container_image: expected with environment_type=DOCKER, got LOOPBACK.",
        ),
        ("dataflow", GOOGLE[:1], "needs the options region, temp_location too."),
        ("dataflow", GOOGLE, "workers need our packages"),
        ("dataflow", (*GOOGLE[:2], "temp_location=/tmp"), "expected a gs:// URI, got '/tmp'."),
        ("dataflow", (*GOOGLE, "setup_file=none.py"), "the path of our setup.py, got 'none.py'."),
        ("dataflow", ("job_name=a",), "job_name is not supported here, since the jobs of one run"),
        ("dataflow", ("template_location=a",), "makes a template instead of running the job."),
        ("flink", ("output_executable_path=a",), "makes a file instead of running the job."),
    ],
)
def test_a_mistake_is_told_in_one_sentence(runner, options, message):
    with pytest.raises(UserError, match=r"^.*$") as raised:
        _asked(runner, *options)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("flink_master=h:8081",), "the image has no Java to start one."),
        (("job_endpoint=h:1", f"setup_file={SETUP}"), "expected with local_runner.py only"),
        (("job_endpoint=h:1", "environment_type=LOOPBACK"), "expected on one machine only"),
    ],
)
def test_what_only_one_machine_can_do_is_refused_in_containers(options, message):
    with pytest.raises(UserError, match=message):
        _asked("flink", *options, image="i:1")


def test_local_paths_are_refused_where_workers_do_not_see_them():
    elsewhere = (
        _asked("dataflow", *GOOGLE, image="i:1"),
        _asked("flink", "job_endpoint=h:1", image="i:1"),
    )
    for argv in elsewhere:
        beam.check_reachable(argv, {"root": "gs://b/r"})
        with pytest.raises(UserError, match=r"^--output: expected a URI .*, got 'out'"):
            beam.check_reachable(argv, {"root": "s3://b/r", "--output": "out"})
    pool = ("job_endpoint=h:1", "environment_type=EXTERNAL", "environment_config=h:2")
    for argv in ([], _asked("flink", "flink_master=[local]"), _asked("spark", *pool)):
        beam.check_reachable(argv, {"--output": "out"})


def _secrets():
    """Options of any runner whose name says that others must not read the value."""
    kinds = re.compile(r"secret|passw|access_key|session_token|connection_string|credential")
    known = {name for runner in RUNNERS for name in OptionParser(runner)._known}
    found = sorted(filter(kinds.search, known))
    assert "s3_secret_access_key" in found
    return found


@pytest.mark.parametrize("runner", RUNNERS)
def test_secrets_are_no_options(runner):
    for name in _secrets():
        config = BeamConfig(runner=runner, options={name: "hunter2"})
        with pytest.raises(UserError, match=f"beam: {name} is not supported here") as raised:
            beam.arguments(config)
        assert "workload identity" in str(raised.value)
        assert "environment" in str(raised.value)
        assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("mode", ["multi_processing", "multi_threading"])
def test_ports_that_answer_anybody_are_opened_in_a_container_only_where_the_file_says_so(mode):
    options = {"direct_running_mode": mode, "direct_num_workers": "2"}
    with pytest.raises(UserError, match=f"expected in_memory in a task's container, got {mode}"):
        beam.arguments(BeamConfig(options=options), "i:1")
    allowed = beam.chosen(BeamConfig(unguarded_ports=True), None, ["direct_num_workers=2"])
    assert allowed.unguarded_ports
    argv = beam.arguments(allowed.replace(options=options), "i:1")
    assert f"--direct_running_mode={mode}" in argv
    assert beam.arguments(BeamConfig(unguarded_ports=True), "i:1") == []
    # On this machine they are kept to it.
    assert beam.is_direct(beam.arguments(BeamConfig(options=options)))


def test_only_the_direct_runner_works_on_this_machine():
    assert not beam.is_direct(_asked("flink", "flink_master=[local]"))
