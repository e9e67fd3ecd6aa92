"""The watch over components, fed with what TFX logs, and over Beam's worker processes."""

import logging
import pathlib
import subprocess
import sys
import threading

import pytest
from tfx.orchestration.portable import launcher
from tfx.proto.orchestration import executable_spec_pb2

from pipeline.runners import local

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Listener:
    def __init__(self):
        self.heard = []

    def running(self, component):
        self.heard.append(("running", component))

    def finished(self, component, seconds, cached):
        assert seconds >= 0
        self.heard.append(("cached" if cached else "finished", component))

    def failed(self, component, seconds):
        self.heard.append(("failed", component))


@pytest.fixture
def watched():
    listener = Listener()
    watch = local._Watch(listener)
    logger = logging.Logger("tfx")
    logger.addHandler(watch)
    yield logger, watch, listener.heard
    watch.abandon()


def test_components_are_told_from_cached_ones(watched):
    logger, _, heard = watched
    for name, cached in (("A", False), ("B", True), ("C", False)):
        logger.info("Component %s is running.", name)
        logger.info("something else %d", 3)
        if cached:
            logger.info("A cached execution %d is used.", 7)
        logger.info("Component %s is finished.", name)
    assert heard == [("finished", "A"), ("cached", "B"), ("finished", "C")]


def test_the_component_at_work_is_the_one_that_failed(watched):
    logger, watch, heard = watched
    logger.info("Component %s is running.", "A")
    logger.info("Component %s is finished.", "A")
    logger.info("Component %s is running.", "B")
    watch.abandon()
    watch._component = None
    assert heard == [("finished", "A"), ("failed", "B")]


def test_only_a_component_that_takes_a_while_is_announced(watched, monkeypatch):
    monkeypatch.setattr(local, "_PATIENCE", 0.0)
    logger, watch, heard = watched
    logger.info("Component %s is running.", "A")
    watch._timer.join()
    logger.info("Component %s is finished.", "A")
    assert heard == [("running", "A"), ("finished", "A")]


def test_tfx_still_logs_what_the_watch_waits_for():
    from pathlib import Path

    from tfx.orchestration.local import local_dag_runner
    from tfx.orchestration.portable import launcher

    runner = Path(local_dag_runner.__file__).read_text()
    assert repr(local._STARTED) in runner
    assert repr(local._FINISHED) in runner
    assert repr(local._CACHED) in Path(launcher.__file__).read_text()


@pytest.mark.seconds
def test_a_killed_worker_process_ends_the_run():
    """With Beam's own thread beside a worker process."""
    code = """
import threading
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
from apache_beam.runners.portability.local_job_service import SubprocessSdkWorker
from pipeline.runners import local

provision = ExtendedProvisionInfo(beam_provision_api_pb2.ProvisionInfo())
# As the shell tells of it that Beam starts a worker in.
for command in ("true", "sh -c 'kill -9 $$'; exit $?"):
    worker = SubprocessSdkWorker(command.encode(), "localhost:1", provision)
    with local._beam_with(("--runner=DirectRunner",)):
        thread = threading.Thread(target=worker.run)
        thread.start()
        thread.join()
    print("outlived", command, flush=True)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (ended.returncode, ended.stdout) == (1, "outlived true\n")
    assert ended.stderr.splitlines()[-1].startswith("error: a worker process of Beam was killed")


@pytest.mark.parametrize(("arguments", "others"), [(("--runner=DirectRunner",), True), ((), False)])
def test_tfx_is_left_as_it_was(arguments, others):
    operators, kind = launcher.DEFAULT_EXECUTOR_OPERATORS, executable_spec_pb2.BeamExecutableSpec
    before = (operators[kind], threading.excepthook)
    with local._beam_with(arguments):
        assert ((operators[kind], threading.excepthook) != before) == others
    assert (operators[kind], threading.excepthook) == before
