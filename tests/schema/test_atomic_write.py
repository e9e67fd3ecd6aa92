"""What is written is there whole, or what was there before still is."""

import errno
import os
import subprocess
import sys

import pytest
from tfx.dsl.io import fileio

from schema import atomic_write


def test_a_folder_takes_the_place_of_the_one_before(tmp_path):
    place = tmp_path / "model"
    for content in ("old", "new"):
        with atomic_write.folder(str(place)) as unfinished:
            (tmp_path / unfinished).mkdir()
            (tmp_path / unfinished / content).touch()
            assert not (place / content).exists()
    assert [file.name for file in place.iterdir()] == ["new"]


def test_a_folder_that_fails_leaves_the_one_before_and_nothing_else(tmp_path):
    place = tmp_path / "model"
    place.mkdir()
    (place / "old").touch()

    def fail():
        with atomic_write.folder(str(place)) as unfinished:
            (tmp_path / unfinished).mkdir()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert (place / "old").exists()


def test_a_file_takes_the_place_of_the_one_before(tmp_path):
    for text in ("old", "new"):
        atomic_write.write(str(tmp_path / "state.json"), text)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"state.json": "new"}


def test_a_file_that_fails_leaves_the_one_before_and_nothing_else(tmp_path):
    place = tmp_path / "state.json"
    place.write_text("old")

    def fail(**options):
        with atomic_write.file(str(place), **options) as unfinished:
            (tmp_path / unfinished).write_text("new")
            assert place.read_text() == "old"
            raise RuntimeError

    for options in ({}, {"at": str(tmp_path / "elsewhere")}):
        with pytest.raises(RuntimeError):
            fail(**options)
        assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"state.json": "old"}


def test_what_a_killed_process_left_of_a_folder_is_not_in_the_next(tmp_path):
    place = tmp_path / "model"
    (tmp_path / atomic_write.unfinished(str(place)) / "half").mkdir(parents=True)
    with atomic_write.folder(str(place)) as unfinished:
        (tmp_path / unfinished).mkdir()
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert list(place.iterdir()) == []


def test_a_copy_has_all_files_and_folders_and_leaves_the_original(tmp_path):
    source, place = tmp_path / "source", tmp_path / "copy"
    (source / "assets").mkdir(parents=True)
    (source / "saved_model.pb").write_text("graph")
    atomic_write.copy_folder(str(source), str(place))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy", "source"]
    for folder in (source, place):
        assert sorted(file.name for file in folder.iterdir()) == ["assets", "saved_model.pb"]
    assert (place / "saved_model.pb").read_text() == "graph"


def test_local_files_wait_for_no_tensorflow(tmp_path):
    code = f"""
import sys
from schema import atomic_write
atomic_write.write({str(tmp_path / "text")!r}, "é")
assert not {{"tensorflow", "apache_beam", "numpy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa9"


@pytest.fixture
def told(monkeypatch, tmp_path):
    """What is synced and renamed, in order, by path below the test's folder."""
    done, sync, rename = [], os.fsync, os.rename

    def name(path):
        return os.path.relpath(path, tmp_path)

    def fsync(descriptor):
        done.append(("sync", name(os.readlink(f"/proc/self/fd/{descriptor}"))))
        sync(descriptor)

    def renamed(source, path):
        done.append(("rename", name(source), name(path)))
        rename(source, path)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", renamed)
    return done


def test_a_file_is_on_the_disk_before_its_name_and_its_name_after(tmp_path, told):
    atomic_write.write(str(tmp_path / "state.json"), "{}")
    at = told.index(("rename", ".unfinished-state.json", "state.json"))
    assert ("sync", ".unfinished-state.json") in told[:at]
    assert told[at + 1 :] == [("sync", ".")]


def test_all_of_a_folder_is_on_the_disk_before_its_name_and_its_name_after(tmp_path, told):
    source = tmp_path / "source"
    (source / "variables").mkdir(parents=True)
    (source / "saved_model.pb").write_text("graph")
    (source / "variables" / "index").write_text("index")
    atomic_write.copy_folder(str(source), str(tmp_path / "7"))
    at = told.index(("rename", ".unfinished-7", "7"))
    inside = ("", "/saved_model.pb", "/variables", "/variables/index")
    assert {("sync", f".unfinished-7{name}") for name in inside} <= set(told[:at])
    assert told[at + 1 :] == [("sync", ".")]


def test_a_file_system_that_syncs_no_folders_is_written_to_and_a_broken_one_tells(
    tmp_path, monkeypatch
):
    def fail(number):
        def fsync(descriptor):
            if os.path.isdir(os.readlink(f"/proc/self/fd/{descriptor}")):
                raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)

    fail(errno.EINVAL)
    atomic_write.write(str(tmp_path / "state.json"), "{}")
    fail(errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        atomic_write.write(str(tmp_path / "state.json"), "{}")


def _write(folder, *names):
    for name in names:
        fileio.makedirs(f"{folder}/{name}".rpartition("/")[0])
        with fileio.open(f"{folder}/{name}", "w") as file:
            file.write(name)


def _files(folder):
    return {
        f"{inner}/{name}".removeprefix(f"{folder}/")
        for inner, _, names in fileio.walk(folder)
        for name in names
    }


NEW = ("saved_model.pb", "variables/variables.index", "assets.extra/tflite/model.tflite")


def test_behind_a_uri_the_files_move_one_by_one_and_the_graph_is_the_last(monkeypatch):
    place = "ram://atomic/moved/model"
    _write(place, "saved_model.pb", "old")
    moved, rename = [], fileio.rename
    monkeypatch.setattr(
        fileio, "rename", lambda source, target: (moved.append(target), rename(source, target))
    )
    with atomic_write.folder(place) as unfinished:
        assert unfinished.startswith("ram://atomic/moved/")
        _write(unfinished, *NEW)
        assert _files(place) == {"saved_model.pb", "old"}
    assert _files("ram://atomic/moved") == {f"model/{name}" for name in NEW}
    assert len(moved) == len(NEW)
    assert moved[-1] == f"{place}/saved_model.pb"


def test_behind_a_uri_a_move_that_is_cut_short_leaves_no_graph(monkeypatch):
    place = "ram://atomic/cut/model"
    rename = fileio.rename

    def fail(source, target):
        if target.endswith("variables.index"):
            raise RuntimeError
        rename(source, target)

    def export():
        with atomic_write.folder(place) as unfinished:
            _write(unfinished, *NEW)

    with monkeypatch.context() as patched:
        patched.setattr(fileio, "rename", fail)
        with pytest.raises(RuntimeError):
            export()
    assert "model/saved_model.pb" not in _files("ram://atomic/cut")
    export()
    assert _files("ram://atomic/cut") == {f"model/{name}" for name in NEW}
