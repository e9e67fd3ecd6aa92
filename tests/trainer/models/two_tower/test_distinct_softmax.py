"""The softmax between distinct users and items against the plain one, a row a positive."""

import numpy as np
import pytest
import tensorflow as tf

from schema import features
from tests.support.small_towers import batch, build
from trainer.config.two_tower import SelfSupervisionConfig, SoftmaxConfig
from trainer.data.batches import HISTORY
from trainer.models.two_tower import distinct_softmax
from trainer.models.two_tower.distinct_softmax import Choices, Distinct

QUERIES, CANDIDATES, ROWS, WIDTH = 7, 5, 40, 3
SETTINGS = {
    "hits removed": SoftmaxConfig(),
    "hits kept": SoftmaxConfig(remove_accidental_hits=False),
    "hard": SoftmaxConfig(hard_negatives=9),
    "hard, hits kept": SoftmaxConfig(hard_negatives=9, remove_accidental_hits=False),
    "more hard ones than there are": SoftmaxConfig(hard_negatives=500),
}


def plain(queries, candidates, query, own, drawn, probability, settings):
    """Row r picks column r among the rows' own candidates and further drawn ones; mean loss."""
    columns = tf.concat([own, drawn], axis=0)
    logits = tf.matmul(tf.gather(queries, query), tf.gather(candidates, columns), transpose_b=True)
    logits -= tf.math.log(tf.gather(probability, columns))
    itself = tf.eye(len(own), len(columns)) > 0
    counted = ~itself
    if settings.remove_accidental_hits:
        counted &= own[:, None] != columns[None]
    others = tf.where(counted, logits, -np.inf)
    if settings.hard_negatives:
        hardest = min(settings.hard_negatives, len(columns))
        others = tf.math.top_k(others, hardest)[0]
    right = tf.linalg.diag_part(logits[:, : len(own)])
    everything = tf.concat([right[:, None], others], axis=1)
    return tf.reduce_mean(tf.reduce_logsumexp(everything, axis=1) - right)


def with_gradients(function, *weights):
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = function()
    return [loss, *map(tf.convert_to_tensor, tape.gradient(loss, weights))]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
# In one tile, and in tiles of two and of one query, of which the last has fewer rows.
@pytest.mark.parametrize("tile", [10_000, 12, 1])
# With the largest ones exp overflows.
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_loss_and_gradients_are_those_of_the_plain_form(settings, tile, scale, monkeypatch):
    monkeypatch.setattr(distinct_softmax, "TILE", tile)
    random = np.random.default_rng(0)
    queries = tf.constant(random.normal(size=(QUERIES, WIDTH)) * scale, tf.float32)
    candidates = tf.constant(random.normal(size=(CANDIDATES, WIDTH)), tf.float32)
    # Pairs of both occur twice and more, as 40 rows have 35 to choose from.
    query = tf.constant(random.integers(0, QUERIES, ROWS), tf.int32)
    own = tf.constant(random.integers(0, CANDIDATES, ROWS), tf.int32)
    drawn = tf.constant([1, 4, 4])
    copies = tf.math.bincount(tf.concat([own, drawn], axis=0), dtype=tf.float32)
    probability = tf.constant([0.5, 0.2, 0.1, 0.01, 0.19])

    def ours():
        choices = Choices(query, own, copies, probability)
        total = distinct_softmax.cross_entropy(queries, candidates, choices, settings)
        return total / ROWS

    found = with_gradients(ours, queries, candidates)
    expected = with_gradients(
        lambda: plain(queries, candidates, query, own, drawn, probability, settings),
        queries,
        candidates,
    )
    for left, right in zip(found, expected, strict=True):
        near = 1e-5 * max(1.0, np.abs(right).max())
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=near)


def test_the_same_batch_gives_the_same_gradients_to_the_last_bit(monkeypatch):
    monkeypatch.setattr(distinct_softmax, "TILE", 100_000)
    random = np.random.default_rng(0)
    queries, candidates = (tf.constant(random.normal(size=(700, 32)), tf.float32) for _ in "qc")
    query, own = (tf.constant(random.integers(0, 700, 4000), tf.int32) for _ in "qc")
    choices = Choices(query, own, tf.math.bincount(own, minlength=700, dtype=tf.float32) + 1.0)

    @tf.function
    def step():
        return with_gradients(
            lambda: distinct_softmax.cross_entropy(queries, candidates, choices, SoftmaxConfig()),
            queries,
            candidates,
        )

    first = step()
    for _ in range(5):
        for left, right in zip(first, step(), strict=True):
            np.testing.assert_array_equal(left, right)


def test_no_scores_of_duplicates_are_kept(monkeypatch):
    monkeypatch.setattr(distinct_softmax, "TILE", 64)
    rows = tf.TensorSpec([5000], tf.int32)

    @tf.function
    def step(queries, candidates, query, own):
        choices = Choices(query, own, tf.ones([64]))
        return distinct_softmax.cross_entropy(queries, candidates, choices, SoftmaxConfig())

    graph = step.get_concrete_function(
        tf.TensorSpec([5, 2]), tf.TensorSpec([64, 2]), rows, rows
    ).graph
    shapes = [tensor.shape for op in graph.get_operations() for tensor in op.outputs]
    sizes = [shape.num_elements() for shape in shapes if shape.is_fully_defined()]
    assert max(sizes) == 5000 * 2


def test_ids_are_numbered_in_the_order_of_their_first_occurrences():
    found = Distinct.of(tf.constant([7, 3, 7, 9, 3, 7]))
    assert found.first.numpy().tolist() == [0, 1, 3]
    assert found.number.numpy().tolist() == [0, 1, 0, 2, 1, 0]
    assert found.copies.numpy().tolist() == [3.0, 2.0, 1.0]


MODELS = {
    "default": {},
    "streaming": {"softmax": SoftmaxConfig(logq="streaming")},
    "without logQ": {"softmax": SoftmaxConfig(logq="none")},
    "mixed": {"softmax": SoftmaxConfig(uniform_negatives=9)},
    "mixed, hard": {"softmax": SoftmaxConfig(uniform_negatives=9, hard_negatives=4)},
    "gathered": {"softmax": SoftmaxConfig(uniform_negatives=9, cross_replica_negatives=True)},
    "layers": {"hidden_units": (5,), "learn_temperature": True, "normalize": False},
    "full": {"loss": "full_softmax"},
    "full, history": {
        "loss": "full_softmax",
        "user_features": ("id", "history"),
        "history_limit": 2,
    },
    "history": {"user_features": ("id", "history"), "history_limit": 2},
    "self-supervised": {"ssl": SelfSupervisionConfig(pattern="cfm")},
}


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_a_model_learns_the_same_from_distinct_users_and_items(settings):
    users, positives = [0, 1, 0, 3, 0, 1, 1, 2], [5, 0, 5, 2, 1, 0, 2, 2]
    inputs = batch(users, positives)
    # Rows 0 and 3 are users that share a bucket of unknown ones, and differ in age.
    inputs[features.USER_INDEX] = tf.constant([4, 1, 4, 4, 4, 1, 1, 2])
    inputs[features.AGE_INDEX] = tf.constant([1, 2, 1, 5, 1, 2, 2, 3])
    if "history_limit" in settings:
        history = [[0, 1], [2, -1], [1, 1], [3, 4], [0, 5], [2, -1], [0, -1], [5, 0]]
        inputs[HISTORY] = tf.constant(history)
    results = []
    for static in (False, True):
        model = build(**settings)
        assert not model.static_shapes
        model.static_shapes = static
        weights = model.trainable_variables
        loss, users, items = model.loss_and_embeddings(inputs, training=True)
        learned = with_gradients(lambda: model.compute_loss(inputs, training=True), *weights)  # noqa: B023
        results.append([loss, users, items, *learned])
    for left, right in zip(*results, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("unlike", [{"dropout": 0.5}, {"batch_norm": True}])
def test_rows_of_one_item_that_differ_keep_the_plain_form(unlike):
    assert build(**unlike).static_shapes
    assert build(loss="bpr").static_shapes
    assert not build().static_shapes


def test_accelerators_keep_the_plain_form(monkeypatch):
    device = tf.config.LogicalDevice("/device:GPU:0", "GPU")
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda: [device])
    assert build().static_shapes


def test_each_user_and_item_is_embedded_once(monkeypatch):
    model = build()
    seen = []
    monkeypatch.setattr(
        model._users, "parts", lambda users: seen.append(users) or [tf.zeros([2, 10])]
    )
    inputs = batch([3, 1, 3, 3], [5, 0, 5, 5])
    items = model._items.parts
    monkeypatch.setattr(
        model._items, "parts", lambda positions: seen.append(positions) or items(positions)
    )
    model.compute_loss(inputs)
    assert seen[0][features.USER_INDEX].numpy().tolist() == [3, 1]
    assert seen[1].numpy().tolist() == [5, 0]
