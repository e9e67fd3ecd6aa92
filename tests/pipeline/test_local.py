"""The watch over components, fed with what TFX logs."""

import logging

import pytest

from pipeline import local


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
