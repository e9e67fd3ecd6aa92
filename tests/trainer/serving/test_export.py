"""The exported model's signatures, through a SavedModel loaded afresh."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.evaluator.ranking import slices
from tests.support.toy_model import make_serving, row
from trainer.ops.lookup import vocabulary
from trainer.serving.export import OPTIONS_SIGNATURE, SIGNATURES, export

# Users u0, u1 with the histories {i0} and {i1, i2}; five items in two dimensions.
USER_CODES = np.asarray([[1.0, 0.0], [0.0, 1.0]])
ITEM_CODES = np.asarray([[9.0, 0.0], [4.0, 1.0], [3.0, 2.0], [2.0, 3.0], [1.0, 4.0]])
COUNTS = [5, 4, 4, 1, 0]
HISTORIES = [[0], [1, 2]]
PAD = float("-inf")

pytestmark = pytest.mark.seconds


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model"
    export(make_serving(USER_CODES, ITEM_CODES, COUNTS, HISTORIES, k=3), str(path))
    return path


@pytest.fixture(scope="module")
def signatures(path):
    # The loaded object must outlive its signatures, which hold its tables weakly.
    loaded = tf.saved_model.load(str(path))
    yield loaded.signatures
    del loaded


def ids(output):
    return [[item.decode() for item in items] for items in output["item_id"].numpy()]


def recommend(signatures, users, excluded, k):
    return signatures["recommend"](
        user_id=tf.constant(users), exclude_item_id=tf.constant(excluded), k=tf.constant(k)
    )


def test_recommend_leaves_out_history_and_what_the_caller_names(signatures):
    output = recommend(signatures, ["u0", "u1"], [["i2", ""], ["", ""]], 2)
    assert ids(output) == [["i1", "i3"], ["i4", "i3"]]
    np.testing.assert_allclose(output["score"], [[4.0, 2.0], [4.0, 3.0]])
    assert output["title"].numpy()[0, 0] == b"Title 1"


def test_titles_are_served_with_their_years():
    years = [1995, -1, 2000, 1874, -1]
    serving = make_serving(USER_CODES, ITEM_CODES, COUNTS, HISTORIES, years=years)
    output = serving.recommend(tf.constant(["x"]), tf.constant([[""]]), tf.constant(6))
    assert output["title"].numpy().tolist() == [
        [b"Title 0 (1995)", b"Title 1", b"Title 2 (2000)", b"Title 3 (1874)", b"Title 4", b""]
    ]


def test_an_unknown_user_gets_the_popularity_ranking(signatures):
    output = recommend(signatures, ["nobody"], [["i1"]], 3)
    assert ids(output) == [["i0", "i2", "i3"]]
    np.testing.assert_allclose(output["score"], [[5 / 14, 4 / 14, 1 / 14]])


def test_a_list_longer_than_what_is_left_is_padded(signatures):
    output = recommend(signatures, ["u1"], [["i4"]], 7)
    assert ids(output) == [["i3", "i0", "", "", "", "", ""]]
    np.testing.assert_allclose(output["score"], [[3.0, 0.0, *[PAD] * 5]])
    assert output["title"].numpy()[0, -1] == b""


def test_unknown_excluded_items_change_nothing(signatures):
    output = recommend(signatures, ["u0"], [["no such item"]], 1)
    assert ids(output) == [["i1"]]


def test_no_users_give_no_lists(signatures):
    output = signatures["recommend"](
        user_id=tf.zeros([0], tf.string),
        exclude_item_id=tf.zeros([0, 0], tf.string),
        k=tf.constant(4),
    )
    assert output["item_id"].shape == (0, 4)


def test_serving_default_reads_examples_and_their_histories(signatures):
    output = signatures["serving_default"](
        examples=tf.constant([row("u0", ["i1"]), row("u1"), row("nobody")])
    )
    assert ids(output) == [["i2", "i3", "i4"], ["i4", "i3", "i0"], ["i0", "i1", "i2"]]


def test_score_of_pairs_known_and_unknown(signatures):
    output = signatures["score"](
        user_id=tf.constant(["u0", "u1", "nobody", "u0"]),
        item_id=tf.constant(["i2", "i2", "i2", "no such item"]),
    )
    np.testing.assert_allclose(output["score"], [3.0, 2.0, 4 / 14, PAD])


def test_similar_items_are_nearest_by_cosine(signatures):
    output = signatures["similar_items"](
        item_id=tf.constant(["i4", "no such item"]), k=tf.constant(2)
    )
    assert ids(output) == [["i3", "i2"], ["", ""]]
    cosine = (1 * 2 + 4 * 3) / np.sqrt((1 + 16) * (4 + 9))
    assert output["score"].numpy()[0, 0] == pytest.approx(cosine)


def test_scores_are_those_that_users_are_served_by(signatures):
    output = signatures["scores"](user_id=tf.constant(["u1", "nobody"]))
    np.testing.assert_allclose(
        output["score"], [[0, 1, 2, 3, 4], np.asarray(COUNTS) / 14], rtol=1e-6
    )
    known = signatures["known_users"](user_id=tf.constant(["u1", "nobody"]))["known"]
    assert known.numpy().tolist() == [True, False]


def test_catalog_tells_what_is_ranked(signatures):
    output = {name: values.numpy() for name, values in signatures["catalog"]().items()}
    assert output["item_id"].tolist() == [b"i0", b"i1", b"i2", b"i3", b"i4"]
    assert output["count"].tolist() == COUNTS
    assert output["genre"].tolist() == [b"Drama"]
    assert output["genres"].shape == (5, 1)
    assert output["year"].tolist() == [0] * 5
    assert output["user_count"] == 2


def test_popularity_groups_are_shares_of_the_trained_items():
    counts = np.asarray([*range(1000, 0, -1), 0])
    groups = slices.popularity_group(counts)
    names, sizes = np.unique(groups, return_counts=True)
    assert dict(zip(names, sizes, strict=True)) == {
        "top 1 %": 10,
        "top 1-10 %": 90,
        "top 10-50 %": 400,
        "bottom 50 %": 500,
        "never in training": 1,
    }
    assert (slices.popularity_group(np.asarray([3, 3, 3])) == "top 1 %").all()


def test_unknown_ids_fall_into_transforms_buckets(tmp_path):
    known, unknown = [b"b", b"a"], [f"x{number}".encode() for number in range(50)]
    (tmp_path / "vocabulary").write_bytes(b"\n".join(known))
    # TFT marks the graph that it works in, which must not be the one of all tests.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        index = tft.apply_vocabulary(
            tf.constant(known + unknown), str(tmp_path / "vocabulary"), num_oov_buckets=7
        )
        session.run(tf.compat.v1.tables_initializer())
        expected = session.run(index)
    found = vocabulary(known, 7).lookup(tf.constant(known + unknown))
    np.testing.assert_array_equal(found, expected)


def test_export_replaces_the_model_whole_and_leaves_nothing_else(path, tmp_path):
    target = tmp_path / "model"
    (target / "old").mkdir(parents=True)
    export(make_serving(USER_CODES, ITEM_CODES, COUNTS, HISTORIES), str(target))
    assert os.listdir(tmp_path) == ["model"]
    assert "old" not in os.listdir(target)


def test_a_failed_export_leaves_nothing(tmp_path):
    serving = make_serving(USER_CODES, ITEM_CODES, COUNTS, HISTORIES)

    @tf.function(input_signature=[])
    def broken():
        raise RuntimeError("no signature")

    serving.scores = broken
    with pytest.raises(Exception, match="no signature"):
        export(serving, str(tmp_path / "model"))
    assert os.listdir(tmp_path) == []


def test_a_process_without_this_project_can_serve(path, tmp_path):
    script = (
        "import json, sys, tensorflow as tf\n"
        "loaded = tf.saved_model.load(sys.argv[1])\n"
        "output = loaded.signatures['recommend'](user_id=tf.constant(['u0']),"
        " exclude_item_id=tf.constant([['']]), k=tf.constant(2))\n"
        "assert not {'trainer', 'schema'} & set(sys.modules)\n"
        "print(json.dumps([sorted(loaded.signatures),"
        " [i.decode() for i in output['item_id'].numpy()[0]]]))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    names, items = json.loads(result.stdout.splitlines()[-1])
    assert names == sorted([*SIGNATURES, OPTIONS_SIGNATURE])
    assert items == ["i1", "i2"]
