import stat
import zipfile

import pytest

from pipeline.datasets import archive
from schema.errors import UserError


def _zip(path, members):
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in members:
            opened.writestr(name, content)
    return path


def test_extracts_the_wanted_members_only(tmp_path):
    packed = _zip(tmp_path / "a.zip", [("top/x.dat", "1"), ("top/y.txt", "2")])
    written = archive.extract(packed, tmp_path / "out", lambda name: name.endswith(".dat"))
    assert [path.relative_to(tmp_path).as_posix() for path in written] == ["out/top/x.dat"]
    assert (tmp_path / "out/top/x.dat").read_text() == "1"
    assert not (tmp_path / "out/top/y.txt").exists()


@pytest.mark.parametrize("name", ["/etc/evil", "../evil", "a/../../evil", "..\\evil"])
def test_a_member_outside_of_the_folder_is_refused_before_anything_is_written(tmp_path, name):
    packed = _zip(tmp_path / "a.zip", [("fine.dat", "1"), (name, "2")])
    with pytest.raises(UserError, match=r"a\.zip: refused, its member .*evil"):
        archive.extract(packed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed = _zip(tmp_path / "a.zip", [(link, "/etc/passwd")])
    with pytest.raises(UserError, match="link"):
        archive.extract(packed, tmp_path / "out")


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.97])
def test_a_truncated_archive_is_named(tmp_path, keep):
    packed = _zip(tmp_path / "a.zip", [("x", "data" * 1000)])
    content = packed.read_bytes()
    packed.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(UserError, match=r"a\.zip: damaged or truncated"):
        archive.extract(packed, tmp_path / "out")


@pytest.mark.parametrize(("size", "fits"), [(2_000, True), (200_000, False)])
def test_an_archive_that_would_take_far_more_room_than_it_is_is_refused(tmp_path, size, fits):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("x.dat", bytes(size))
        opened.writestr("y.txt", bytes(1_000_000))
    if fits:
        archive.extract(path, tmp_path / "out", lambda name: name == "x.dat")
        assert (tmp_path / "out" / "x.dat").stat().st_size == size
        return
    with pytest.raises(UserError, match=rf"a\.zip: refused, it would unpack to {size} bytes, exp"):
        archive.extract(path, tmp_path / "out", lambda name: name == "x.dat")
    assert not (tmp_path / "out").exists()
