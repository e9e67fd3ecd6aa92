import json
import os
import shutil

import pytest
from tfx.dsl.io import fileio
from tfx.dsl.io.plugins.local import LocalFilesystem
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components import pusher
from schema.errors import UserError


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model" / "Format-Serving"
    (folder / "variables").mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "variables.index").write_text("weights")
    return folder


def _push(tmp_path, model, blessed, **custom_config):
    artifact = standard_artifacts.Model()
    artifact.uri = str(model.parent)
    blessing = standard_artifacts.ModelBlessing()
    blessing.set_int_custom_property("blessed", int(blessed))
    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(tmp_path / "archive")
    destination = pusher_pb2.PushDestination(
        filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(tmp_path / "serving"))
    )
    pusher.Executor().Do(
        {"model": [artifact], "model_blessing": [blessing]},
        {"pushed_model": [pushed]},
        {
            "push_destination": proto_utils.proto_to_json(destination),
            "custom_config": json.dumps(custom_config),
        },
    )
    return pushed


def test_a_blessed_model_is_published_whole_under_a_number(tmp_path, model):
    pushed = _push(tmp_path, model, blessed=True)
    place = pushed.get_string_custom_property("pushed_destination")
    assert pushed.get_int_custom_property("pushed") == 1
    assert os.path.basename(place) == pushed.get_string_custom_property("pushed_version")
    assert os.listdir(tmp_path / "serving") == [os.path.basename(place)]
    assert os.path.basename(place).isdigit()
    for folder in (place, tmp_path / "archive"):
        assert sorted(os.listdir(folder)) == ["assets", "saved_model.pb", "variables"]


def test_a_model_that_is_not_blessed_is_not_published(tmp_path, model):
    pushed = _push(tmp_path, model, blessed=False)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not (tmp_path / "serving").exists()


def test_the_models_of_one_pipeline_are_not_pushed_beside_anothers(tmp_path, model):
    pushed = _push(tmp_path, model, blessed=True, pipeline="movielens-films")
    (version,) = os.listdir(tmp_path / "serving")
    for place in (pushed.uri, str(tmp_path / "serving" / version)):
        assert os.listdir(os.path.join(place, "assets.extra")) == ["origin.json"]
    shutil.rmtree(pushed.uri)
    with pytest.raises(UserError, match="holds models of the pipeline movielens-films, expected"):
        _push(tmp_path, model, blessed=True, pipeline="movielens-books")
    assert os.listdir(tmp_path / "serving") == [version]
    assert not os.path.exists(pushed.uri)


def test_two_pushes_within_a_second_are_two_versions(tmp_path, model):
    base = str(tmp_path / "serving")
    first, second = pusher.publish(str(model), base), pusher.publish(str(model), base)
    assert int(os.path.basename(second)) > int(os.path.basename(first))
    assert os.path.exists(os.path.join(first, "saved_model.pb"))


def test_what_a_killed_push_left_is_cleared_and_was_never_a_version(tmp_path, model, monkeypatch):
    base = tmp_path / "serving"

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        # Whoever is killed tidies nothing up.
        for last in ("rename", "rmtree"):
            patched.setattr(LocalFilesystem, last, killed)
        with pytest.raises(KeyboardInterrupt):
            pusher.publish(str(model), str(base))
    (left,) = os.listdir(base)
    assert not left.isdigit()
    place = pusher.publish(str(model), str(base))
    assert os.listdir(base) == [os.path.basename(place)]


def test_a_version_that_was_removed_stays_so_unless_it_is_asked_for(tmp_path, model):
    pushed = _push(tmp_path, model, blessed=True)
    place = pushed.get_string_custom_property("pushed_destination")
    assert pusher.restore(pushed.uri, place, removed_too=False)
    shutil.rmtree(place)
    assert not pusher.restore(pushed.uri, place, removed_too=False)
    assert os.listdir(tmp_path / "serving") == []
    shutil.rmtree(tmp_path / "serving")
    assert not pusher.restore(pushed.uri, place, removed_too=False)
    assert pusher.restore(pushed.uri, place, removed_too=True)
    assert sorted(os.listdir(place)) == ["assets", "saved_model.pb", "variables"]
    os.unlink(os.path.join(place, "saved_model.pb"))
    assert pusher.restore(pushed.uri, place, removed_too=True)
    assert sorted(os.listdir(place)) == ["assets", "variables"]


GRAPH, WEIGHTS = "saved_model.pb", "variables/variables.index"


class Killed(BaseException):
    pass


@pytest.fixture
def bucket(request):
    return f"ram://pusher/{request.node.name}"


def _kill_before_the_graph(monkeypatch, work):
    """Cuts a copy short where the graph is due; what had been copied until then."""
    copied, copy = [], fileio.copy

    def killed(source, target, **options):
        if target.endswith(GRAPH):
            raise Killed
        copied.append(target)
        copy(source, target, **options)

    with monkeypatch.context() as patched:
        patched.setattr(fileio, "copy", killed)
        with pytest.raises(Killed):
            work()
    return copied


def test_behind_a_uri_a_version_has_no_graph_until_it_has_all_else(model, bucket, monkeypatch):
    copied = _kill_before_the_graph(monkeypatch, lambda: pusher.publish(str(model), bucket))
    (weights,) = copied
    assert weights.endswith(WEIGHTS)
    left = weights.removesuffix(f"/{WEIGHTS}")
    assert not fileio.exists(f"{left}/{GRAPH}")
    place = pusher.publish(str(model), bucket)
    # What was cut short is gone, its number is not taken again.
    assert sorted(fileio.listdir(bucket)) == [os.path.basename(place)]
    assert fileio.exists(f"{place}/{GRAPH}")
    assert fileio.exists(f"{place}/{WEIGHTS}")
    assert int(os.path.basename(place)) > int(os.path.basename(left))


def test_behind_a_uri_a_version_that_came_back_in_part_is_copied_again(model, bucket, monkeypatch):
    place = f"{bucket}/17"
    _kill_before_the_graph(monkeypatch, lambda: pusher.restore(str(model), place, True))
    assert fileio.exists(f"{place}/{WEIGHTS}")
    assert pusher.restore(str(model), place, removed_too=False)
    assert fileio.exists(f"{place}/{GRAPH}")
    assert sorted(fileio.listdir(bucket)) == ["17"]
    fileio.remove(f"{place}/{WEIGHTS}")
    assert pusher.restore(str(model), place, removed_too=True)
    assert not fileio.exists(f"{place}/{WEIGHTS}")
