"""What is written is there whole, or what was there before still is."""

import pytest

from trainer import atomic


def test_a_folder_takes_the_place_of_the_one_before(tmp_path):
    place = tmp_path / "model"
    for content in ("old", "new"):
        with atomic.folder(str(place)) as unfinished:
            (tmp_path / unfinished).mkdir()
            (tmp_path / unfinished / content).touch()
            assert not (place / content).exists()
    assert [file.name for file in place.iterdir()] == ["new"]


def test_a_folder_that_fails_leaves_the_one_before_and_nothing_else(tmp_path):
    place = tmp_path / "model"
    place.mkdir()
    (place / "old").touch()

    def fail():
        with atomic.folder(str(place)) as unfinished:
            (tmp_path / unfinished).mkdir()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert (place / "old").exists()


def test_a_file_takes_the_place_of_the_one_before(tmp_path):
    for text in ("old", "new"):
        atomic.write(str(tmp_path / "state.json"), text)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"state.json": "new"}
