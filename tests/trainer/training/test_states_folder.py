"""Two trainings of one name never write to one folder; a killed one's is found again."""

import multiprocessing
import os
import signal
import time

import pytest
import tensorflow as tf

from schema import lease
from tests.support import object_store
from trainer.distribution.cluster_task import ClusterTask
from trainer.distribution.strategy import DistributionContext
from trainer.training.states_folder import claim

NAME = "0123456789abcdef"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with object_store.serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(params=["local", "gs"])
def root(request, tmp_path, monkeypatch):
    if request.param == "local":
        return str(tmp_path / "checkpoints")
    for name, value in request.getfixturevalue("service").variables.items():
        monkeypatch.setenv(name, value)
    return f"gs://states/{request.function.__name__}"


def _write(folder, name="state.json"):
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(os.path.join(folder, name), "w") as file:
        file.write(folder)


def _names(root):
    return sorted(name.rstrip("/") for name in tf.io.gfile.listdir(root))


def test_of_two_equal_trainings_at_once_each_has_its_own_states(root):
    with claim(root, lambda: NAME) as first:
        _write(first)
        with claim(root, lambda: NAME) as second:
            assert second != first
            _write(second)
        # The second has ended, and removed its own.
        assert not tf.io.gfile.exists(second)
        assert tf.io.gfile.exists(os.path.join(first, "state.json"))
    assert _names(root) == []


def _be_killed_in(root, name, number):
    with claim(root, lambda: name) as folder:
        _write(folder)
        if number > 1:
            _be_killed_in(root, name, number - 1)
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_trainings_states_are_found_by_whoever_starts_it_again(tmp_path):
    root = str(tmp_path)
    process = multiprocessing.Process(target=_be_killed_in, args=(root, NAME, 2))
    process.start()
    process.join()
    assert _names(root) == sorted(f"{NAME}{end}" for end in ("", "-2", ".lease", "-2.lease"))
    with claim(root, lambda: NAME) as folder:
        assert folder == f"{root}/{NAME}"
        assert os.listdir(folder) == ["state.json"]
    # Of two that were killed the second's is found when the first's is done.
    with claim(root, lambda: NAME) as folder:
        assert folder == f"{root}/{NAME}-2"
    assert _names(root) == []


def test_a_training_that_fails_leaves_its_states_and_no_lease(root):
    def fail():
        with claim(root, lambda: NAME) as folder:
            _write(folder)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert _names(root) == [NAME]


def test_a_search_keeps_its_folder_but_for_one_of_the_same_name_at_work(root):
    name = f"tuning-{NAME}"
    with claim(root, lambda: name, keep=True) as first:
        _write(first)
        with claim(root, lambda: name, keep=True) as second:
            _write(second)
        assert _names(root) == [name, f"{name}.lease"]
    assert _names(root) == [name]
    with claim(root, lambda: name, keep=True) as again:
        assert again == first


def _age(path, days):
    for inner, folders, files in os.walk(path):
        for name in (".", *folders, *files):
            os.utime(os.path.join(inner, name), (time.time() - days * 86400,) * 2)


def test_states_that_nobody_goes_on_with_are_kept_for_a_week(tmp_path, monkeypatch):
    root = str(tmp_path)
    for name, days in (("ab", 6), ("cd", 8), ("tuning-ef", 8), ("tuning-ef-2", 8), ("99", 8)):
        _write(f"{root}/{name}/choose-gmf")
        _age(f"{root}/{name}", days)
    # A process that was stopped for long on another machine.
    with monkeypatch.context() as patched:
        patched.setattr(lease, "_machine", lambda: "another")
        stopped = lease.Lease(f"{root}/cd.lease")
    stopped.take(0.0)
    for name in ("cd.lease",):
        os.utime(f"{root}/{name}", (time.time() - 8 * 86400,) * 2)
    living = lease.Lease(f"{root}/99.lease")
    living.take(0.0)
    with claim(root, lambda: NAME):
        assert _names(root) == ["0123456789abcdef.lease", "99", "99.lease", "ab", "tuning-ef"]
    living.release()
    stopped.release()
    assert _names(root) == ["99", "ab", "tuning-ef"]


def test_without_a_root_there_are_no_states():
    with claim(None, lambda: pytest.fail("digested")) as folder:
        assert folder is None


def test_who_does_not_write_takes_no_lease(root):
    task = ClusterTask({"worker": ["a:1", "b:1"]}, "worker", 1)
    distribution = DistributionContext(tf.distribute.get_strategy(), task)
    distribution = _Told(distribution, 3)
    with claim(root, lambda: NAME, distribution) as folder:
        assert folder == f"{root}/{NAME}-3"
    assert not tf.io.gfile.exists(root)


class _Told:
    """Other processes, of which the one that writes took the third folder."""

    def __init__(self, distribution, number):
        self.task = distribution.task
        self._number = number

    def from_writer(self, number):
        return self._number
