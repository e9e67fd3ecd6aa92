import pytest

from pipeline.source_digest import source_digest


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "one.py").write_text("x = 1\n")
    (tmp_path / "a" / "deep" / "two.pbtxt").write_text("feature {}\n")
    (tmp_path / "b.py").write_text("y = 2\n")
    return tmp_path


def test_the_same_sources_give_the_same_digest_in_any_order(sources):
    digest = source_digest("a", "b.py", root=sources)
    assert len(digest) == 64
    assert source_digest("b.py", "a", "a", root=sources) == digest


def test_an_edit_below_a_folder_changes_the_digest(sources):
    before = source_digest("a", root=sources)
    (sources / "a" / "deep" / "two.pbtxt").write_text("feature { }\n")
    assert source_digest("a", root=sources) != before


def test_a_renamed_file_changes_the_digest(sources):
    before = source_digest("a", root=sources)
    (sources / "a" / "one.py").rename(sources / "a" / "uno.py")
    assert source_digest("a", root=sources) != before


def test_files_that_are_not_sources_and_times_do_not_count(sources):
    before = source_digest("a", root=sources)
    (sources / "a" / "__pycache__").mkdir()
    (sources / "a" / "__pycache__" / "one.cpython-310.pyc").write_bytes(b"\0")
    (sources / "a" / "one.py").touch()
    assert source_digest("a", root=sources) == before


def test_a_path_without_sources_is_an_error_not_an_empty_digest(sources):
    with pytest.raises(FileNotFoundError, match="missing"):
        source_digest("a", "missing", root=sources)
