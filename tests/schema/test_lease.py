"""One living owner at a time; what a dead one left is taken over."""

import json
import multiprocessing
import os
import signal
import threading
import time

import pytest

from schema import conditional_file, lease
from schema.errors import UserError
from schema.lease import Lease


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, seconds in (("BEAT", 0.05), ("LIMIT", 0.8), ("POLL", 0.02), ("_QUIET", 0.1)):
        monkeypatch.setattr(lease, f"{name}_SECONDS", seconds)


@pytest.fixture(params=["local", "ram"])
def place(request, tmp_path, monkeypatch):
    monkeypatch.setattr(conditional_file, "SETTLE_SECONDS", 0.1)
    if request.param == "local":
        return str(tmp_path / ".lease")
    return f"ram://lease/{request.function.__name__}/.lease"


def _of_elsewhere(place, monkeypatch):
    """A lease whose owner runs on another machine."""
    with monkeypatch.context() as patched:
        patched.setattr(lease, "_machine", lambda: "another")
        return Lease(place)


def test_a_lease_is_held_until_it_is_given_back(place):
    with lease.hold(place, 0.0) as held:
        held.check()
        assert json.loads(conditional_file.at(place).read().text)["owner"]["process"] == os.getpid()
        assert str(Lease(place).take(0.0)).startswith(f"process {os.getpid()} of ")
    assert conditional_file.at(place).read() is None
    with lease.hold(place, 0.0):
        pass


def test_an_owner_who_lives_is_waited_for_and_that_is_told(place, capsys):
    first = Lease(place)
    assert first.take(0.0) is None
    threading.Timer(0.4, first.release).start()
    began = time.monotonic()
    with lease.hold(place, 10.0):
        assert 0.3 < time.monotonic() - began < 5.0
    folder = os.path.dirname(place)
    told = f"waiting for process {os.getpid()} of "
    assert capsys.readouterr().err.count(told) == 1
    with (
        lease.hold(place, 0.0),
        pytest.raises(UserError, match=f"{folder}: process .* is still at work there after 0 s"),
        lease.hold(place, 0.2),
    ):
        pass


def _take_and_hang(place, taken):
    Lease(place).take(0.0)
    taken.set()
    signal.pause()


def test_the_lease_of_a_process_that_was_killed_here_is_taken_over_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "LIMIT_SECONDS", 1000.0)
    place, taken = str(tmp_path / ".lease"), multiprocessing.Event()
    process = multiprocessing.Process(target=_take_and_hang, args=(place, taken))
    process.start()
    assert taken.wait(30)
    assert str(Lease(place).take(0.0)).startswith(f"process {process.pid} of ")
    os.kill(process.pid, signal.SIGKILL)
    with lease.hold(place, 20.0):
        pass
    process.join()


def test_a_process_of_the_same_number_is_not_the_one_that_was_killed(tmp_path):
    place = tmp_path / ".lease"
    first = Lease(str(place))
    first.take(0.0)
    content = json.loads(place.read_text())
    first.release()
    content["owner"]["started"] = "1"
    place.write_text(json.dumps(content))
    with lease.hold(str(place), 0.0):
        pass


def test_an_owner_elsewhere_lives_as_long_as_it_writes(place, monkeypatch):
    first = _of_elsewhere(place, monkeypatch)
    first.take(0.0)
    # Longer than the limit.
    time.sleep(1.0)
    assert Lease(place).take(0.0) is not None
    first.check()
    first.release()


def test_a_lease_that_nobody_writes_anew_is_taken_over_and_its_owner_learns_it(place, monkeypatch):
    first = _of_elsewhere(place, monkeypatch)
    with monkeypatch.context() as patched:
        # As a process that is stopped.
        patched.setattr(lease, "BEAT_SECONDS", 1000.0)
        first.take(0.0)
        began = time.monotonic()
        second = Lease(place)
        assert second.take(0.0) is None
        assert 0.4 < time.monotonic() - began < 5.0
        with pytest.raises(UserError, match="another run took this lease over"):
            first.check()
        first._ended.set()
        first.release()
    second.check()
    second.release()
    assert conditional_file.at(place).read() is None


def test_a_lease_that_could_not_be_given_back_is_free_after_the_limit(place, monkeypatch):
    """Also where its process goes on with other things."""

    def fail(*_):
        raise ConnectionError

    with monkeypatch.context() as patched, lease.hold(place, 0.0) as held:
        patched.setattr(held._file, "remove", fail)
    assert conditional_file.at(place).read() is not None
    with lease.hold(place, 20.0):
        pass


def test_a_lease_that_was_written_in_part_is_taken_over_after_the_limit(tmp_path):
    (tmp_path / ".lease").write_text('{"owner"')
    began = time.monotonic()
    with lease.hold(str(tmp_path / ".lease"), 0.0):
        assert time.monotonic() - began > 0.4


def test_clocks_that_jump_end_no_lease(place, monkeypatch):
    first = _of_elsewhere(place, monkeypatch)
    first.take(0.0)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert Lease(place).take(0.0) is not None
    first.check()
    first.release()


def test_of_several_that_wait_for_one_lease_each_has_it_once(tmp_path):
    place, inside, most = str(tmp_path / ".lease"), [], []

    def work():
        with lease.hold(place, 60.0) as held:
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.05)
            held.check()
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]
