import json
import os
import re
import shutil
import threading

import pytest
from tfx.dsl.io import fileio
from tfx.dsl.io.plugins.local import LocalFilesystem
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components import pusher
from schema import conditional_file, lease
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


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(conditional_file, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.02)


def _publish(model, base):
    fileio.makedirs(str(base))
    with lease.hold(f"{base}/.lease", pusher.PATIENCE) as held:
        return pusher.publish(str(model), str(base), held)


def test_two_pushes_within_a_second_are_two_versions(tmp_path, model):
    base = str(tmp_path / "serving")
    first, second = _publish(model, base), _publish(model, base)
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
            _publish(model, base)
    (left,) = os.listdir(base)
    assert not left.isdigit()
    place = _publish(model, base)
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
    copied = _kill_before_the_graph(monkeypatch, lambda: _publish(model, bucket))
    (weights,) = copied
    assert weights.endswith(WEIGHTS)
    left = weights.removesuffix(f"/{WEIGHTS}")
    assert not fileio.exists(f"{left}/{GRAPH}")
    place = _publish(model, bucket)
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


@pytest.fixture(params=["local", "uri"])
def base(request, tmp_path, bucket):
    return str(tmp_path / "serving") if request.param == "local" else bucket


def _versions(base):
    return sorted(name.rstrip("/") for name in fileio.listdir(base))


def test_a_second_push_waits_for_the_first_and_clears_nothing_of_it(
    model, base, monkeypatch, capsys
):
    """As two runs of one pipeline on one root do."""
    monkeypatch.setattr(lease, "_QUIET_SECONDS", 0.1)
    half, go_on, copy, places = threading.Event(), threading.Event(), fileio.copy, []

    def held_up(source, target, **options):
        copy(source, target, **options)
        if not half.is_set():
            half.set()
            assert go_on.wait(30)

    monkeypatch.setattr(fileio, "copy", held_up)

    def push():
        places.append(_publish(model, base))

    first, second = threading.Thread(target=push), threading.Thread(target=push)
    first.start()
    assert half.wait(30)
    unfinished = _versions(base)
    second.start()
    second.join(0.5)
    assert second.is_alive()
    assert _versions(base) == unfinished
    go_on.set()
    for thread in (first, second):
        thread.join()
    assert _versions(base) == sorted(os.path.basename(place) for place in places)
    assert len(places) == 2
    for place in places:
        assert fileio.exists(f"{place}/{GRAPH}")
        assert fileio.exists(f"{place}/{WEIGHTS}")
    assert f"at work in {base}" in capsys.readouterr().err


def test_a_push_that_waited_long_is_refused_and_the_other_keeps_its_files(
    model, base, tmp_path, monkeypatch
):
    monkeypatch.setattr(pusher, "PATIENCE", 0.1)
    fileio.makedirs(base)
    with lease.hold(f"{base}/.lease", 0.0):
        fileio.makedirs(f"{base}/.unfinished-17")
        with pytest.raises(UserError, match=f"^{re.escape(base)}: process .* is still at work"):
            pusher.restore(str(model), f"{base}/17", True)
        assert ".unfinished-17" in _versions(base)


def test_a_push_whose_lease_was_taken_over_shows_nothing(model, base, monkeypatch):
    fileio.makedirs(base)
    with lease.hold(f"{base}/.lease", 0.0) as held:
        monkeypatch.setattr(held, "_seen", None)
        with pytest.raises(UserError, match="another run took this lease over"):
            pusher.publish(str(model), base, held)
    assert not [name for name in _versions(base) if fileio.exists(f"{base}/{name}/{GRAPH}")]


def test_a_copy_that_lacks_bytes_is_never_a_version(model, base, monkeypatch):
    copy = fileio.copy

    def cut(source, target, **options):
        if target.endswith(WEIGHTS):
            with fileio.open(target, "wb") as file:
                file.write(b"weig")
        else:
            copy(source, target, **options)

    with monkeypatch.context() as patched:
        patched.setattr(fileio, "copy", cut)
        with pytest.raises(OSError, match=r"variables.index with 4 bytes instead of 7 \(1 of 2"):
            _publish(model, base)
    assert not [name for name in _versions(base) if fileio.exists(f"{base}/{name}/{GRAPH}")]
    place = _publish(model, base)
    assert _versions(base) == [os.path.basename(place)]
