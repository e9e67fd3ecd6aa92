"""What the towers read, and their layers."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from schema import features
from tests.support import planted
from tests.support.small_towers import ITEMS, batch, build
from trainer.data.batches import HISTORY


def test_normalized_towers_have_unit_length():
    embeddings = build(normalize=True).item_embedding(tf.range(ITEMS))
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, rtol=1e-5)
    free = build(normalize=False).item_embedding(tf.range(ITEMS))
    assert np.ptp(np.linalg.norm(free, axis=1)) > 1e-4


@pytest.mark.parametrize(
    ("name", "feature"),
    [
        ("gender", features.GENDER_INDEX),
        ("age", features.AGE_INDEX),
        ("occupation", features.OCCUPATION_INDEX),
        ("age_value", features.AGE),
        ("id", features.USER_INDEX),
    ],
)
def test_a_user_feature_moves_the_user_code_where_the_tower_reads_it(name, feature):
    inputs = batch([1], [0])
    changed = {**inputs, feature: tf.zeros([1], tf.int32)}
    every = ("id", "gender", "age", "occupation", "age_value")
    for names, moves in ((every, True), (tuple(n for n in every if n != name), False)):
        model = build(user_features=names)
        difference = np.abs(model.user_embedding(inputs) - model.user_embedding(changed)).max()
        assert (difference > 1e-4) == moves


def test_the_age_value_is_linear_and_zero_where_unknown():
    model = build(user_features=("age_value",))
    table = next(v for v in model.variables if v.name.startswith("age_value_embedding")).numpy()
    ages = {**batch([0] * 3, [0] * 3), features.AGE: tf.constant([0, 35, 50])}
    np.testing.assert_allclose(
        model._users.parts(ages)[0], [[0, 0], [0, 0], table[0]], rtol=1e-5, atol=1e-7
    )


def test_the_history_is_the_mean_of_its_items():
    model = build(user_features=("history",), history_limit=3)
    assert (model.history_limit, build().history_limit) == (3, 0)
    table = next(v for v in model.variables if v.name.startswith("item_embedding")).numpy()
    users = {**batch([0] * 3, [0] * 3), HISTORY: tf.constant([[-1, 4, 2], [1, 1, 0], [-1, -1, -1]])}
    expected = [(table[4] + table[2]) / 2, (2 * table[1] + table[0]) / 3, 0 * table[0]]
    np.testing.assert_allclose(model._users.parts(users)[0], expected, rtol=1e-5, atol=1e-7)


CHANGES = {
    "genres": lambda c: {"genres": np.roll(c.genres, 1, axis=1)},
    "year": lambda c: {"year_index": c.year_index + 3},
    "year_value": lambda c: {"year": np.arange(ITEMS, dtype=np.int32) * 10},
    "title": lambda c: {"titles": np.roll(c.titles, 1)},
}


@pytest.mark.seconds
@pytest.mark.parametrize("name", sorted(CHANGES))
def test_an_item_feature_moves_the_item_code_where_the_tower_reads_it(name):
    catalog = planted.make_catalog(ITEMS)
    changed = dataclasses.replace(catalog, **CHANGES[name](catalog))
    every = ("id", *CHANGES)
    for names, moves in ((every, True), (tuple(n for n in every if n != name), False)):
        before, after = (
            build(c, item_features=names, title_min_count=1).item_embedding(tf.range(ITEMS))
            for c in (catalog, changed)
        )
        assert (np.abs(before - after).max(axis=1) > 1e-4).all() == moves
        assert (np.abs(before - after).max() > 1e-4) == moves


def test_title_words_are_averaged():
    catalog = dataclasses.replace(
        planted.make_catalog(2), titles=np.asarray([b"Heat and Dust", b"Dust"], object)
    )
    model = build(catalog, item_features=("title",), title_min_count=1)
    table = next(v for v in model.variables if v.name.startswith("title_word")).numpy()
    # Words in alphabetical order from row 1 on: and, dust, heat.
    np.testing.assert_allclose(
        model._items.parts(tf.range(2))[0], [table[1:].mean(axis=0), table[2]], rtol=1e-5
    )


def test_batch_normalization_standardizes_over_the_batch():
    model = build(batch_norm=True, hidden_units=(8,), normalize=False)
    plain = build(hidden_units=(8,), normalize=False)
    assert len(model.trainable_variables) == len(plain.trainable_variables) + 2 * 4
    hidden = model._item_layers.layers[1:3]
    assert [type(layer).__name__ for layer in model._item_layers.layers] == [
        "BatchNormalization",
        "Dropout",
        "Dense",
        "BatchNormalization",
        "ReLU",
        "Dropout",
        "Dense",
    ]
    assert hidden[1].activation == tf.keras.activations.linear
    parts = tf.concat(model._items.parts(tf.range(ITEMS)), axis=1)
    output = model._item_layers.layers[0](parts, training=True).numpy()
    values = parts.numpy()
    expected = (values - values.mean(0)) / np.sqrt(values.var(0) + 1e-3)
    np.testing.assert_allclose(output, expected, rtol=1e-3, atol=1e-4)


def test_batch_normalization_may_stand_behind_the_relu():
    model = build(batch_norm=True, batch_norm_order="after_relu", hidden_units=(8,))
    names = [type(layer).__name__ for layer in model._item_layers.layers]
    assert names[2:5] == ["Dense", "ReLU", "BatchNormalization"]
    assert len(names) == 7
    hidden = tf.concat(model._items.parts(tf.range(ITEMS)), axis=1)
    for layer in model._item_layers.layers[:5]:
        hidden = layer(hidden, training=True)
    # What is normalized last has mean 0, which relu's outputs have not.
    np.testing.assert_allclose(tf.reduce_mean(hidden, axis=0), np.zeros(8), atol=1e-5)


def test_embeddings_start_from_the_named_distribution():
    normal, uniform = (
        next(v.numpy() for v in model.variables if v.name.startswith("item_embedding"))
        for model in (build(), build(embeddings_initializer="glorot_uniform"))
    )
    bound = np.sqrt(6 / sum(uniform.shape))
    assert np.abs(uniform).max() <= bound
    assert uniform[:ITEMS].std() == pytest.approx(bound / 3**0.5, rel=0.3)
    assert normal[:ITEMS].std() == pytest.approx(0.05, rel=0.3)
    assert not uniform[ITEMS:].any()


def test_the_towers_outputs_may_be_wider_than_the_id_embeddings():
    model = build(output_dim=7)
    assert model.item_embedding(tf.range(ITEMS)).shape == (ITEMS, 7)
    assert model.user_embedding(batch([1], [0])).shape == (1, 7)
    tables = {v.name: v.shape for v in model.variables if "embedding" in v.name}
    assert [s[1] for name, s in tables.items() if name.startswith(("item_e", "user_e"))] == [4, 4]
    assert build().item_embedding(tf.range(ITEMS)).shape == (ITEMS, 4)


def test_hidden_layers_and_dropout_act_in_training_only():
    model = build(hidden_units=(16,), dropout=0.5)
    still = [model.item_embedding(tf.range(ITEMS)) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    noisy = [model.item_embedding(tf.range(ITEMS), training=True) for _ in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-3
    assert len(model.trainable_variables) > len(build().trainable_variables)


def test_l2_is_the_sum_of_squares_of_the_tables():
    model = build(l2=0.5)
    tables = [v.numpy() for v in model.variables if "embedding" in v.name]
    np.testing.assert_allclose(
        sum(model.losses), 0.5 * sum(np.square(table).sum() for table in tables), rtol=1e-5
    )


def test_items_without_vocabulary_row_start_from_their_content_alone():
    model = build(planted.make_catalog(ITEMS + 1, unknown=1))
    table = next(v for v in model.variables if v.name.startswith("item_embedding"))
    assert table.shape[0] == ITEMS + 1
    np.testing.assert_array_equal(table.numpy()[ITEMS:], 0.0)
    assert np.abs(table.numpy()[:ITEMS]).min() > 0


def test_users_without_vocabulary_row_start_from_their_features_alone():
    table = next(v for v in build().variables if v.name.startswith("user_embedding")).numpy()
    np.testing.assert_array_equal(table[4:], 0.0)
    assert np.abs(table[:4]).min() > 0
