"""Names, detection and location of files."""

import pytest

from components import formats
from components.formats import base
from schema.errors import UserError
from tests.support import synthetic


@pytest.mark.parametrize("layout", synthetic.LAYOUTS)
def test_each_layout_is_detected_by_its_files(tmp_path, layout):
    synthetic.write(tmp_path, layout, users=5, items=10)
    assert formats.detect(str(tmp_path)) == layout


def test_the_name_of_a_dataset_stands_for_its_layout():
    assert formats.get("ml-10m") is formats.get("ml-1m")
    for name in ("ml-20m", "ml-25m", "ml-32m", "ml-latest", "ml-latest-small"):
        assert formats.get(name).name == "ml-csv"
    for name, adapter in formats.FORMATS.items():
        assert formats.get(name) is adapter
        assert formats.get(adapter.name) is adapter


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match=r"'ml-latst'.*did you mean 'ml-latest'\?"):
        formats.get("ml-latst")
    with pytest.raises(UserError, match=r"'parquet', expected one of ml-100k, .*, table\.$"):
        formats.get("parquet")


def test_only_the_interactions_are_needed(tmp_path):
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,2,3,4\n")
    assert formats.detect(str(tmp_path)) == "ml-csv"
    located = formats.get("ml-csv").locate(str(tmp_path))
    assert located == {base.INTERACTIONS: [str(tmp_path / "ratings.csv")]}


def test_missing_and_empty_folders_are_told_apart(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        formats.detect(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="the folder is empty"):
        formats.detect(str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file: is not a folder"):
        formats.detect(str(tmp_path / "file"))


def test_an_unknown_layout_is_answered_with_what_was_found_and_expected(tmp_path):
    for name in ("notes.txt", "ratings.xlsx"):
        (tmp_path / name).touch()
    with pytest.raises(
        UserError, match=r"found notes.txt, ratings.xlsx, expected u.data \(ml-100k\); .*ncf"
    ):
        formats.detect(str(tmp_path))


def test_a_dataset_one_folder_down_is_pointed_at(tmp_path):
    synthetic.write(tmp_path / "ml-1m", "ml-1m", users=5, items=10)
    with pytest.raises(UserError, match=r"did you mean .*/ml-1m\?"):
        formats.detect(str(tmp_path))


def test_files_of_two_formats_need_a_name(tmp_path):
    for name in ("u.data", "ratings.csv"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match="ml-100k and ml-csv; name one"):
        formats.detect(str(tmp_path))


def test_locate_names_the_file_that_a_format_lacks(tmp_path):
    synthetic.write(tmp_path, "ml-1m", users=5, items=10)
    with pytest.raises(UserError, match=r"format 'ml-csv' needs a file ratings.csv, found movies"):
        formats.get("ml-20m").locate(str(tmp_path))


def test_two_datasets_in_one_folder_are_refused(tmp_path):
    synthetic.write(tmp_path, "recbole", users=5, items=10)
    (tmp_path / "other.inter").touch()
    with pytest.raises(UserError, match=r"found other.inter, synthetic.inter"):
        formats.get("recbole").locate(str(tmp_path))


def test_users_of_ml_10m_may_be_absent(tmp_path, read):
    (tmp_path / "ratings.dat").write_text("1::122::4.5::838985046\n")
    (tmp_path / "movies.dat").write_text("1::Amélie (2001)::Comedy\n", encoding="utf-8")
    assert base.USERS not in formats.get("ml-10m").locate(str(tmp_path))
    assert read(tmp_path, "ml-10m", base.INTERACTIONS)[0]["rating"] == 4.5
    assert read(tmp_path, "ml-10m", base.ITEMS)[0]["title"] == "Amélie"
