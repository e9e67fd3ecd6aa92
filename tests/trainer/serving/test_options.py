"""What a request may ask of its recommendations, and how unknown users are served."""

import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from schema import features
from tests.support import planted
from tests.support.toy_model import make_serving
from trainer.config.trainer import TrainerConfig
from trainer.config.two_tower import TwoTowerConfig
from trainer.data.batches import user_tensors
from trainer.models import registry
from trainer.models.base import DataSizes
from trainer.serving.export import export, serving_model
from trainer.serving.options import ToldFeatures
from transform import preprocessing

pytestmark = pytest.mark.seconds

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "serving.md"
# Users who score the items alike, so that they are repetitions of one draw.
USERS = 4000
SCORES = np.asarray([2.0, 1.0, 0.5, 0.0, -1.0])
COUNTS = [5, 4, 4, 1, 0]
IDS = [f"u{user}" for user in range(USERS)]


@pytest.fixture(scope="module")
def serving():
    """u0 has seen i0, the others nothing; a score is the item's own."""
    return make_serving(np.ones([USERS, 1]), SCORES[:, None], COUNTS, [[0], *[[]] * (USERS - 1)])


def ask(serving, users, k, excluded=(), exclude_seen=True, temperature=0.0, seed=0):
    """Positions [B, k], -1 where the list is padded, and scores."""
    output = serving.recommend_with_options(
        user_id=tf.constant(users),
        exclude_item_id=tf.constant(
            [list(excluded)] * len(users), tf.string, [len(users), len(excluded)]
        ),
        k=tf.constant(k),
        exclude_seen=tf.constant(exclude_seen),
        temperature=tf.constant(temperature),
        seed=tf.constant(seed),
    )
    items = [[int(item[1:] or b"-1") for item in row] for row in output["item_id"].numpy()]
    return np.asarray(items), output["score"].numpy()


def shares(positions):
    return np.bincount(positions, minlength=len(SCORES)) / len(positions)


def off(found, expected):
    """The largest difference, in standard errors."""
    return np.abs(found - expected).max() / np.sqrt(0.25 / USERS)


def test_what_was_seen_counts_unless_the_request_says_otherwise(serving):
    assert ask(serving, ["u0", "u1"], 2)[0].tolist() == [[1, 2], [0, 1]]
    assert ask(serving, ["u0", "u1"], 2, exclude_seen=False)[0].tolist() == [[0, 1], [0, 1]]
    items, scores = ask(serving, ["u0"], 5, ["i1", "?"], exclude_seen=False)
    assert items.tolist() == [[0, 2, 3, 4, -1]]
    np.testing.assert_allclose(scores, [[2.0, 0.5, 0.0, -1.0, -np.inf]])


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_first_item_is_drawn_by_the_softmax_of_the_scores(serving, temperature):
    items, scores = ask(serving, IDS[1:], 1, temperature=temperature, seed=3)
    expected = np.exp(SCORES / temperature)
    assert off(shares(items[:, 0]), expected / expected.sum()) < 4
    np.testing.assert_allclose(scores, SCORES[items])


def test_items_are_drawn_one_after_the_other_without_replacement(serving):
    items, scores = ask(serving, IDS[1:], 2, temperature=1.0)
    weights = np.exp(SCORES) / np.exp(SCORES).sum()
    expected = np.zeros([5, 5])
    for first in range(5):
        for second in set(range(5)) - {first}:
            pair = min(first, second), max(first, second)
            expected[pair] += weights[first] * weights[second] / (1 - weights[first])
    found = np.zeros([5, 5])
    np.add.at(found, (items[:, 0], items[:, 1]), 1 / len(items))
    # The better one stands first, drawn first or not.
    assert off(found, expected) < 4
    assert (np.diff(scores) <= 0).all()


def test_a_temperature_near_zero_gives_the_best_items_and_a_high_one_any(serving):
    assert (ask(serving, IDS[1:], 2, temperature=1e-4)[0] == [0, 1]).all()
    assert off(shares(ask(serving, IDS[1:], 1, temperature=1e5)[0][:, 0]), 0.2) < 4
    for none in (-1.0, float("nan")):
        assert (ask(serving, IDS[1:9], 2, temperature=none)[0] == [0, 1]).all()


def test_a_draw_depends_on_the_seed_and_the_user_alone(serving):
    whole, _ = ask(serving, IDS[1:41], 2, temperature=1.0, seed=5)
    part, _ = ask(serving, IDS[40:20:-1], 2, temperature=1.0, seed=5)
    np.testing.assert_array_equal(part, whole[:19:-1])
    assert (ask(serving, IDS[1:41], 2, temperature=1.0, seed=6)[0] != whole).any()
    assert (ask(serving, IDS[1:41], 2, temperature=1.0, seed=-6)[0] != whole).any()


def test_nothing_left_out_is_drawn(serving):
    items, _ = ask(serving, ["u0"] * 50, 5, ["i2"], temperature=1e5)
    assert (items == [1, 3, 4, -1, -1]).all()
    items, _ = ask(serving, ["u0"], 5, exclude_seen=False, temperature=1e5)
    assert items.tolist() == [[0, 1, 2, 3, 4]]


def test_unknown_users_draw_by_popularity(serving):
    unknown = [f"newcomer {number}" for number in range(USERS)]
    items, scores = ask(serving, unknown, 1, temperature=1.0)
    assert off(shares(items[:, 0]), np.asarray(COUNTS) / 14) < 4
    np.testing.assert_allclose(scores, np.asarray(COUNTS)[items] / 14, rtol=1e-6)
    # To the power 1 / temperature.
    expected = np.asarray(COUNTS) ** 2.0
    found = shares(ask(serving, unknown, 1, temperature=0.5)[0][:, 0])
    assert off(found, expected / expected.sum()) < 4
    # What nobody has interacted with comes last, but comes.
    assert ask(serving, unknown[:5], 5, temperature=1.0)[0][:, 4].tolist() == [4] * 5


def test_the_average_user_is_the_mean_of_the_known_ones():
    serving = make_serving(
        [[1.0, 0.0], [1.0, 3.0]], [[1.0, 0.0], [0.0, 2.0]], [7, 1], [[], []], cold_start="average"
    )
    served = serving.scores(tf.constant(["u0", "newcomer", "u1"]))["score"]
    np.testing.assert_allclose(served, [[1.0, 0.0], [1.0, 3.0], [1.0, 6.0]])
    pairs = serving.score(tf.constant(["newcomer"] * 2), tf.constant(["i0", "i1"]))["score"]
    np.testing.assert_allclose(pairs, [1.0, 3.0])
    # Drawn by these scores, too: i0 with a chance of 1 / (1 + exp(20)).
    drawn = ask(serving, [str(number) for number in range(50)], 1, temperature=0.1)[0]
    assert (drawn == 1).all()


def test_told_features_are_read_as_transform_reads_those_of_the_data():
    values = {features.GENDER: [b"F", b"M"], features.OCCUPATION: [b"writer"]}
    told = ToldFeatures((features.GENDER, features.AGE, features.OCCUPATION), values)
    ages = [-1, 0, 1, 17, 18, 24, 25, 55, 56, 99]
    context = told.context(
        {
            features.GENDER: tf.constant(["", "F", "M", "?", *["F"] * 6]),
            features.AGE: tf.constant(ages, tf.int64),
            features.OCCUPATION: tf.constant(["writer", "", "poet", *[""] * 7]),
        },
        tf.constant(10),
    )
    columns = dict(zip(features.USER_CONTEXT, context.numpy().T.tolist(), strict=True))
    assert columns[features.GENDER_INDEX] == [-1, 1, 2, 0, *[1] * 6]
    assert columns[features.OCCUPATION_INDEX] == [1, -1, 0, *[-1] * 7]
    assert columns[features.AGE] == ages
    rows = [[row, 0] for row in range(1, 10)]
    sparse = tf.SparseTensor(rows, tf.constant(ages[1:], tf.int64), [10, 1])
    transformed = preprocessing._age_index(sparse)[:, 0].numpy().tolist()
    assert columns[features.AGE_INDEX] == [-1, *transformed[1:]]
    assert transformed[:3] == [0, 1, 1]


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
    """An untrained two-tower model whose user tower reads all features, its data and export."""
    data = planted.make_dataset(users=8, items=12, length=3)
    settings = TwoTowerConfig(
        embedding_dim=8,
        feature_dim=4,
        user_features=("id", "gender", "age", "age_value", "occupation"),
    )
    config = TrainerConfig(model="two_tower", two_tower=settings)
    sizes = DataSizes(data.num_users, data.context_sizes, data.catalog, data.user_oov_buckets)
    model = registry.build(config, sizes)
    path = str(tmp_path_factory.mktemp("towers") / "model")
    export(serving_model(model, data, 10), path)
    return model, data, tf.saved_model.load(path), path


def served(loaded, users, gender, age):
    """Scores [B, C] by position, of everything."""
    output = loaded.signatures["recommend_with_options"](
        user_id=tf.constant(users),
        exclude_item_id=tf.zeros([len(users), 0], tf.string),
        k=tf.constant(12),
        exclude_seen=tf.constant(False),
        temperature=tf.constant(0.0),
        seed=tf.constant(0),
        gender=tf.constant(gender),
        age=tf.constant(age, tf.int64),
        occupation=tf.constant([""] * len(users)),
    )
    order = np.argsort([[int(item[1:]) for item in row] for row in output["item_id"].numpy()])
    return np.take_along_axis(output["score"].numpy(), order, axis=1)


def test_told_features_stand_for_the_stored_ones(towers):
    model, _, loaded, _ = towers
    # Stored are the gender's index 1, the age 1 and its group 1, all of user 2.
    cases = [
        ("", -1, [1, 1, 1, 1]),
        ("M", -1, [2, 1, 1, 1]),
        ("", 40, [1, 4, 1, 40]),
        ("M", 40, [2, 4, 1, 40]),
        ("no such gender", -1, [0, 1, 1, 1]),
    ]
    genders, ages, contexts = zip(*cases, strict=True)
    users = user_tensors(tf.fill([5], 2), tf.constant(contexts))
    items = model.item_embedding(tf.range(12))
    expected = tf.matmul(model.user_embedding(users), items, transpose_b=True)
    found = served(loaded, ["u2"] * 5, genders, ages)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(found[1:] - found[0]).max(axis=1).min() > 1e-3


def test_an_unknown_user_is_scored_by_the_features_told(towers):
    model, data, loaded, _ = towers
    found = served(loaded, ["newcomer"] * 2, ["F", ""], [-1, -1])
    # The one row after those of the known users, and nothing known but the gender.
    users = user_tensors(tf.constant([8]), tf.constant([[1, 0, 0, 0]]))
    items = model.item_embedding(tf.range(12))
    expected = tf.matmul(model.user_embedding(users), items, transpose_b=True)
    np.testing.assert_allclose(found[:1], expected, rtol=1e-5, atol=1e-6)
    counts = data.known.counts(12)
    np.testing.assert_allclose(found[1], counts / counts.sum(), rtol=1e-5)


def test_a_request_has_the_features_that_the_model_reads_and_no_others(towers):
    common = {"user_id", "exclude_item_id", "k", "exclude_seen", "temperature", "seed"}
    signature = towers[2].signatures["recommend_with_options"]
    told = {"gender", "age", "occupation"}
    assert set(signature.structured_input_signature[1]) == common | told
    fewer = TwoTowerConfig(user_features=("id", "age_value", "gender")).read_features
    assert fewer == ("gender", "age")
    bare = make_serving([[1.0]], [[1.0]], [1], [[]])
    assert set(bare.option_inputs) == common


def test_the_lines_of_the_page_run(towers, capsys):
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    code = re.sub(r'load\("[^"]*"\)', f'load("{towers[3]}")', code).replace('"403"', '"u2"')
    exec(compile(code, PAGE.name, "exec"), {})
    assert len(re.findall(r"b'Title \d+'", capsys.readouterr().out)) == 2 * 5
