import json

import pytest
import tensorflow as tf

from components import served_folder
from schema.errors import UserError


def _saved(path, items):
    """Writes a model with the signature `catalog`, its ids in a variable."""
    model = tf.Module()
    model.ids = tf.Variable(list(items))
    model.catalog = tf.function(lambda: {"item_id": tf.identity(model.ids)}, input_signature=[])
    tf.saved_model.save(model, str(path), signatures={"catalog": model.catalog})
    return str(path)


@pytest.fixture
def served(tmp_path):
    _saved(tmp_path / "serving" / "7", ["1", "2", "3", "4"])
    return str(tmp_path / "serving")


@pytest.mark.parametrize("kind", [str, "ram://served/{}".format])
def test_a_folder_remembers_who_pushed_its_newest_version(kind, tmp_path):
    base = kind(tmp_path / "s") if kind is str else kind(tmp_path.name)
    files = served_folder.atomic_write.files_of(base)
    assert served_folder.newest(base) is None
    served_folder.check_pipeline(base, "movielens-a")
    for version, pipeline in (("9", "movielens-a"), ("10", "movielens-b")):
        files.makedirs(f"{base}/{version}")
        with files.open(f"{base}/{version}/saved_model.pb", "w") as file:
            file.write("graph")
        served_folder.write_origin(f"{base}/{version}", pipeline)
    files.makedirs(f"{base}/11")
    assert served_folder.newest(base) == f"{base}/10"
    served_folder.check_pipeline(base, "movielens-b")
    with pytest.raises(UserError, match="holds models of the pipeline movielens-b, expected"):
        served_folder.check_pipeline(base, "movielens-a")


def test_a_version_without_an_origin_is_anyones(served):
    served_folder.check_pipeline(served, "movielens-a")


def test_the_origin_lies_where_model_servers_do_not_look(served):
    served_folder.write_origin(f"{served}/7", "movielens-a")
    with open(f"{served}/7/assets.extra/origin.json") as file:
        assert json.load(file) == {"pipeline": "movielens-a"}


@pytest.mark.parametrize(
    "items",
    [["1", "2", "3"], ["1", "2", "4", "9", *(f"n{i}" for i in range(20))]],
)
def test_a_catalog_may_grow_and_lose_a_few_items(items, served, tmp_path):
    served_folder.check_catalog(served, _saved(tmp_path / "new", items))


@pytest.mark.parametrize(
    ("items", "known"),
    [(["1", "2", "x"], 2), (["tt1", "tt2"], 0)],
)
def test_another_catalog_is_refused(items, known, served, tmp_path):
    new = _saved(tmp_path / "new", items)
    with pytest.raises(UserError, match=f"ranks 4 items, of which the new model knows {known}, "):
        served_folder.check_catalog(served, new)


def test_a_model_of_something_else_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "serving" / "3"))
    new = _saved(tmp_path / "new", ["1"])
    with pytest.raises(UserError, match="expected a recommender with the signature catalog"):
        served_folder.check_catalog(str(tmp_path / "serving"), new)


def test_an_empty_folder_takes_every_model(tmp_path):
    served_folder.check_catalog(str(tmp_path / "none"), "nothing is loaded")
