"""A process that serves ends with its chief."""

import socket
import threading

import pytest

from tests.support import ports
from trainer.distribution import parameter_server
from trainer.distribution.cluster_task import ClusterTask
from trainer.distribution.parameter_server import serve


@pytest.fixture
def task(monkeypatch):
    monkeypatch.setattr(parameter_server, "_SECONDS_BETWEEN_LOOKS", 0.05)
    addresses = [f"127.0.0.1:{port}" for port in ports.free(2)]
    return ClusterTask({"chief": addresses[:1], "ps": addresses[1:]}, "ps", 0)


def test_it_serves_until_the_model_is_there(task, tmp_path):
    model = tmp_path / "model"
    # The chief does not even answer yet.
    threading.Timer(0.6, model.mkdir).start()
    serve(task, str(model))
    assert model.exists()


@pytest.mark.seconds
def test_it_fails_when_the_chief_is_gone_without_a_model(task, tmp_path):
    chief = socket.create_server(("127.0.0.1", int(task.jobs["chief"][0].rpartition(":")[2])))
    threading.Timer(0.4, chief.close).start()
    with pytest.raises(RuntimeError, match="ended, without a model"):
        serve(task, str(tmp_path / "model"))


def test_it_fails_when_the_chief_never_comes(task, tmp_path, monkeypatch):
    monkeypatch.setattr(parameter_server, "_PATIENCE_AT_FIRST", 3)
    with pytest.raises(RuntimeError, match="never answered, without a model"):
        serve(task, str(tmp_path / "model"))
