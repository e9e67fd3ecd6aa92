"""Downloads against a server on this machine that knows ranges and can misbehave."""

import gzip
import hashlib
import io
import pathlib
import re
import subprocess
import sys
import threading
import zipfile

import pytest
from rich.console import Console

from pipeline.datasets import published
from pipeline.datasets.download import Checksum
from schema.errors import UserError
from tests.support.archive_server import ArchiveServer

NAME = "ml-1m"


def _archive(members=(("ml-1m/ratings.dat", "1::2::3::4\n" * 2000), ("ml-1m/README", "licence"))):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        for name, content in members:
            opened.writestr(name, content)
    return packed.getvalue()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = ArchiveServer()
    running.content = _archive()
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def told():
    return Console(file=io.StringIO(), width=200)


def _publish(monkeypatch, content, name=NAME):
    figure = Checksum(hashlib.sha256(content).hexdigest(), len(content))
    monkeypatch.setitem(published.ARCHIVES, name, figure)
    return figure


@pytest.fixture
def expect(monkeypatch, server):
    """Makes the server's content the published archive."""
    return _publish(monkeypatch, server.content)


def _obtain(tmp_path, server, told, name=NAME):
    return pathlib.Path(published.obtain(name, str(tmp_path), told, server.address))


def _files(tmp_path):
    return sorted(p.name for p in (tmp_path / "datasets").iterdir() if not p.name.endswith(".lock"))


def test_an_archive_is_fetched_once_verified_unpacked_and_kept(tmp_path, server, told, expect):
    folder = _obtain(tmp_path, server, told)
    assert (folder / "ratings.dat").read_text().startswith("1::2::3::4\n")
    assert (folder / "README").read_text() == "licence"
    assert f"from {server.address}/ml-1m.zip" in told.file.getvalue()
    assert _obtain(tmp_path, server, told) == folder
    assert server.ranges == [None]
    assert _files(tmp_path) == [NAME]


def test_a_folder_of_another_name_in_the_archive_becomes_the_dataset(
    tmp_path, server, told, monkeypatch
):
    server.content = _archive([("ml-10M100K/ratings.dat", "1::2::5::3\n")])
    _publish(monkeypatch, server.content, "ml-10m")
    folder = _obtain(tmp_path, server, told, "ml-10m")
    assert folder.name == "ml-10m"
    assert (folder / "ratings.dat").exists()


def test_a_broken_connection_is_resumed_where_it_stopped(tmp_path, server, told, expect):
    server.breaks, server.limit = 1, 500
    folder = _obtain(tmp_path, server, told)
    assert (folder / "README").exists()
    assert server.ranges == [None, "bytes=500-"]


def test_a_later_call_goes_on_with_what_an_earlier_one_left(tmp_path, server, told, expect):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "ml-1m.zip.part").write_bytes(server.content[:700])
    _obtain(tmp_path, server, told)
    assert server.ranges == ["bytes=700-"]


def test_a_spoiled_rest_of_an_earlier_download_is_fetched_anew(tmp_path, server, told, expect):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "ml-1m.zip.part").write_bytes(b"?" * 700)
    assert (_obtain(tmp_path, server, told) / "README").exists()
    assert server.ranges == ["bytes=700-", None]


def test_a_connection_that_keeps_breaking_keeps_what_arrived(tmp_path, server, told, expect):
    server.breaks, server.limit = 9, 100
    with pytest.raises(UserError, match=r"broke after 300 bytes, which are kept"):
        _obtain(tmp_path, server, told)
    assert _files(tmp_path) == ["ml-1m.zip.part"]


def test_other_content_of_the_right_size_is_a_checksum_mismatch(tmp_path, server, told, expect):
    server.content = bytes([server.content[0] ^ 1]) + server.content[1:]
    with pytest.raises(UserError, match=r"ml-1m\.zip: checksum mismatch, expected SHA-256"):
        _obtain(tmp_path, server, told)
    assert _files(tmp_path) == []


@pytest.mark.parametrize("tells_length", [True, False])
def test_no_more_than_the_expected_size_is_kept_of_an_answer(
    tmp_path, server, told, expect, tells_length, monkeypatch
):
    kept, verify = [], Checksum.verify

    def spy(self, path, origin):
        kept.append(path.stat().st_size)
        verify(self, path, origin)

    monkeypatch.setattr(Checksum, "verify", spy)
    server.content += b"x" * 5_000_000
    server.tells_length = tells_length
    with pytest.raises(UserError, match=rf"ml-1m\.zip: expected {expect.size} bytes, got more\.$"):
        _obtain(tmp_path, server, told)
    assert kept == [expect.size + 1]
    assert _files(tmp_path) == []


def test_a_packed_answer_is_not_unpacked(tmp_path, server, told, expect):
    server.content, server.coding = gzip.compress(bytes(50_000_000)), "gzip"
    with pytest.raises(UserError, match=r"expected the file as it is, got it packed with"):
        _obtain(tmp_path, server, told)
    assert _files(tmp_path) == []


def test_a_kept_archive_is_verified_before_it_is_unpacked(tmp_path, server, told, expect):
    (tmp_path / "datasets").mkdir()
    packed = tmp_path / "datasets" / "ml-1m.zip"
    packed.write_bytes(server.content)
    assert (_obtain(tmp_path, server, told) / "README").exists()
    assert server.ranges == []


def test_a_damaged_kept_archive_is_replaced(tmp_path, server, told, expect):
    (tmp_path / "datasets").mkdir()
    packed = tmp_path / "datasets" / "ml-1m.zip"
    packed.write_bytes(server.content[:300])
    assert (_obtain(tmp_path, server, told) / "README").exists()
    assert f"ml-1m.zip: expected {expect.size} bytes, got 300; fetching it again" in (
        told.file.getvalue()
    )
    assert _files(tmp_path) == [NAME]


@pytest.mark.parametrize("damage", ["cut", "gone", "unmarked", "unreadable"])
def test_a_folder_that_is_not_whole_is_obtained_again(tmp_path, server, told, expect, damage):
    folder = _obtain(tmp_path, server, told)
    (folder / "notes.txt").write_text("the user's own")
    assert _obtain(tmp_path, server, told) == folder
    assert len(server.ranges) == 1
    if damage == "cut":
        (folder / "ratings.dat").write_text("1::2")
    elif damage == "gone":
        (folder / "ratings.dat").unlink()
    elif damage == "unmarked":
        (folder / published.MARK).unlink()
    else:
        (folder / published.MARK).write_text("{")
    assert _obtain(tmp_path, server, told) == folder
    assert len(server.ranges) == 2
    assert len((folder / "ratings.dat").read_text()) == 2000 * len("1::2::3::4\n")


def test_scratch_of_a_call_that_was_killed_is_swept(tmp_path, server, told, expect):
    scratch = tmp_path / "datasets" / ".ml-1m-x7a"
    other = tmp_path / "datasets" / ".ml-10m-x7a"
    for folder in (scratch, other):
        (folder / "unpacked").mkdir(parents=True)
    _obtain(tmp_path, server, told)
    assert _files(tmp_path) == [other.name, NAME]


def test_every_archive_has_a_size_and_a_sha_256():
    for checksum in published.ARCHIVES.values():
        assert re.fullmatch("[0-9a-f]{64}", checksum.sha256)
        assert checksum.size > 900_000


def test_a_truncated_archive_is_told_by_its_size(tmp_path, server, told, expect):
    full = len(server.content)
    server.content = server.content[: full // 2]
    with pytest.raises(UserError, match=rf"expected {full} bytes, got {full // 2}"):
        _obtain(tmp_path, server, told)
    assert NAME not in _files(tmp_path)


def test_an_unsafe_archive_leaves_no_dataset(tmp_path, server, told, monkeypatch):
    server.content = _archive([("ml-1m/fine", "1"), ("../evil", "2")])
    _publish(monkeypatch, server.content)
    with pytest.raises(UserError, match="refused"):
        _obtain(tmp_path, server, told)
    assert NAME not in _files(tmp_path)
    assert not (tmp_path / "evil").exists()


def test_a_server_error_is_one_sentence(tmp_path, server, told):
    server.status = 503
    with pytest.raises(UserError, match=r"/ml-1m\.zip: the server answered 503\.$"):
        _obtain(tmp_path, server, told)


def test_no_network_and_no_other_source_is_one_sentence(tmp_path, server, told):
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match=r"/ml-1m\.zip: the server cannot be reached\.$"):
        _obtain(tmp_path, server, told)


def test_a_cache_folder_that_cannot_be_made_is_named(tmp_path, server, told):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"/file/x/datasets: cannot keep the dataset \(Not a dir"):
        published.obtain(NAME, str(tmp_path / "file" / "x"), told, server.address)


def test_an_unknown_name_gives_the_nearest(tmp_path):
    with pytest.raises(UserError, match="did you mean 'ml-100k'"):
        published.obtain("ml-100", str(tmp_path))


def _fake_pip(monkeypatch, act):
    commands = []

    def run(command, **_):
        commands.append(command)
        here = pathlib.Path(next(c for c in command if c.startswith("--dest=")).partition("=")[2])
        return act(here)

    monkeypatch.setattr(published.subprocess, "run", run)
    return commands


def test_ml_100k_falls_back_to_the_wheel_whose_hash_pip_checks(tmp_path, server, told, monkeypatch):
    server.status = 404
    requirements = []

    def act(here):
        requirements.append((here / "requirements.txt").read_text())
        with zipfile.ZipFile(here / "recbole.whl", "w") as wheel:
            for suffix in ("inter", "user", "item", "link"):
                wheel.writestr(f"recbole/dataset_example/ml-100k/ml-100k.{suffix}", suffix)
            wheel.writestr("recbole/__init__.py", "")
        return subprocess.CompletedProcess([], 0, "", "")

    commands = _fake_pip(monkeypatch, act)
    folder = _obtain(tmp_path, server, told, "ml-100k")
    assert sorted(p.name for p in folder.iterdir()) == [
        ".complete.json",
        "ml-100k.inter",
        "ml-100k.item",
        "ml-100k.user",
    ]
    assert commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--require-hashes"} <= set(commands[0])
    assert requirements == [f"recbole==1.2.1 --hash=sha256:{published._WHEELS['ml-100k'].sha256}\n"]
    assert "from the PyPI wheel recbole==1.2.1, as http://127.0.0.1" in told.file.getvalue()
    assert _obtain(tmp_path, server, told, "ml-100k") == folder
    assert len(commands) == 1


def test_when_the_fallback_fails_too_both_reasons_are_given(tmp_path, server, told, monkeypatch):
    server.status = 404
    message = "WARNING: x\nERROR: No matching distribution found for recbole==1.2.1\n"
    _fake_pip(monkeypatch, lambda here: subprocess.CompletedProcess([], 1, "", message))
    with pytest.raises(UserError, match=r"answered 404; and recbole==1\.2\.1 cannot.*No matching"):
        _obtain(tmp_path, server, told, "ml-100k")
    assert _files(tmp_path) == []
