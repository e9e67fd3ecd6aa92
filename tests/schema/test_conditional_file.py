"""Of several that write one file at once one succeeds, and the others are told."""

import concurrent.futures
import itertools
import multiprocessing
import os
import threading
import time

import pytest

from schema import conditional_file
from tests.support import object_store

WRITERS = 6


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with object_store.serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(params=["local", "gs", "ram"])
def path(request, tmp_path, monkeypatch):
    monkeypatch.setattr(conditional_file, "SETTLE_SECONDS", 0.2)
    if request.param == "local":
        return str(tmp_path / "lease")
    if request.param == "gs":
        for name, value in request.getfixturevalue("service").variables.items():
            monkeypatch.setenv(name, value)
    return f"{request.param}://conditional/{request.node.callspec.id}-{request.function.__name__}"


@pytest.mark.seconds
def test_a_file_is_written_only_over_what_was_read(path):
    file = conditional_file.at(path)
    assert file.read() is None
    first = file.write("first", None)
    assert file.read() == first
    assert file.write("too late", None) is None
    second = file.write("the second, which is longer", first)
    assert file.write("too late", first) is None
    file.remove(first)
    assert file.read() == second
    assert second.text == "the second, which is longer"
    third = file.write("third", second)
    file.remove(third)
    assert file.read() is None


def test_where_the_store_compares_nothing_the_last_of_two_who_write_at_once_succeeds(monkeypatch):
    path = "ram://conditional/at-once/lease"
    first, second = conditional_file.at(path), conditional_file.at(path)
    waits, written = [], []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 1:
            # It had looked before the first wrote.
            with monkeypatch.context() as patched:
                read = second.read
                patched.setattr(second, "read", lambda: read() if len(waits) > 1 else None)
                written.append(second.write("second", None))

    monkeypatch.setattr(time, "sleep", wait)
    assert first.write("first", None) is None
    assert written == [first.read()]
    assert first.read().text == "second"
    assert waits == [conditional_file.SETTLE_SECONDS] * 2


@pytest.mark.seconds
@pytest.mark.parametrize("path", ["local", "gs"], indirect=True)
def test_of_several_that_make_a_file_at_once_one_succeeds(path):
    start = threading.Barrier(WRITERS)

    def write(number):
        file = conditional_file.at(path)
        start.wait()
        return file.write(f"writer {number}", None)

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as threads:
        written = [it for it in threads.map(write, range(WRITERS)) if it is not None]
    assert written == [conditional_file.at(path).read()]


def _count(path, times):
    file = conditional_file.at(path)
    for number in range(times):
        while True:
            seen = file.read()
            before = int(seen.text.split()[0]) if seen else 0
            if file.write(f"{before + 1} {os.getpid()} {number}", seen):
                break


def test_no_count_of_two_processes_is_lost(tmp_path):
    path = str(tmp_path / "count")
    processes = [multiprocessing.Process(target=_count, args=(path, 200)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert conditional_file.at(path).read().text.startswith("400 ")


def test_files_that_come_and_go_are_one_writers_at_a_time(tmp_path):
    path, inside, most = str(tmp_path / "file"), [], itertools.count()

    def come_and_go(name):
        file = conditional_file.at(path)
        for number in range(100):
            while (mine := file.write(f"{name} {number}", None)) is None:
                pass
            inside.append(name)
            if len(inside) > 1:
                next(most)
            inside.pop()
            file.remove(mine)

    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        list(threads.map(come_and_go, "ab"))
    assert next(most) == 0


def test_a_file_that_a_killed_writer_left_empty_counts_as_none(tmp_path):
    (tmp_path / "file").touch()
    file = conditional_file.at(str(tmp_path / "file"))
    assert file.read() is None
    assert file.write("text", None) == file.read()
