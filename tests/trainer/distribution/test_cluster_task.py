"""What TF_CONFIG says of this process."""

import json

import pytest

from schema.errors import UserError
from trainer.config.trainer import TrainerConfig
from trainer.distribution.cluster_task import ClusterTask, read_cluster_task
from trainer.distribution.strategy import resolve_strategy


def configure(monkeypatch, jobs, kind, index):
    value = {"cluster": jobs, "task": {"type": kind, "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(value))


def test_without_tf_config_a_process_is_alone_and_writes(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    task = read_cluster_task()
    assert task == ClusterTask()
    assert (task.processes, task.writes) == (1, True)


@pytest.mark.parametrize(
    ("jobs", "task"),
    [({"chief": ["127.0.0.1:2222"]}, {"type": "chief", "index": 0, "trial": "1"}), ({}, {})],
)
def test_the_only_machine_of_a_custom_job_trains_alone(monkeypatch, jobs, task):
    value = {"cluster": jobs, "task": task, "environment": "cloud", "job": "{}"}
    monkeypatch.setenv("TF_CONFIG", json.dumps(value))
    found = read_cluster_task()
    assert (found.processes, found.writes) == (1, True)
    for strategy in ("none", "auto"):
        assert resolve_strategy(TrainerConfig(strategy=strategy), found).strategy == "none"


@pytest.mark.parametrize(
    ("jobs", "kind", "index", "processes", "writes"),
    [
        ({"worker": ["a:1", "b:1"]}, "worker", 0, 2, True),
        ({"worker": ["a:1", "b:1"]}, "worker", 1, 2, False),
        ({"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "chief", 0, 3, True),
        ({"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "worker", 0, 3, False),
        ({"chief": ["a:1"], "worker": ["b:1"], "ps": ["c:1"]}, "ps", 0, 3, False),
    ],
)
def test_exactly_one_process_writes(monkeypatch, jobs, kind, index, processes, writes):
    configure(monkeypatch, jobs, kind, index)
    task = read_cluster_task()
    assert (task.kind, task.index, task.processes) == (kind, index, processes)
    assert task.writes == writes


@pytest.mark.parametrize(
    ("jobs", "kind", "index"),
    [
        ({"worker": ["a:1"]}, "worker", 1),
        ({"worker": ["a:1"]}, "chief", 0),
        ({"chief": ["a:1"], "evaluator": ["b:1"]}, "evaluator", 0),
    ],
)
def test_a_task_outside_the_cluster_is_one_sentence(monkeypatch, jobs, kind, index):
    configure(monkeypatch, jobs, kind, index)
    with pytest.raises(
        UserError, match=rf"expected a task within jobs.*got the task {kind} {index}"
    ):
        read_cluster_task()


@pytest.mark.parametrize("text", ["{", "3"])
def test_text_that_is_no_cluster_is_one_sentence(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG: expected JSON such as"):
        read_cluster_task()
