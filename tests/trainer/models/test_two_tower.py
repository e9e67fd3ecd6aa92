"""The two-tower model against NumPy."""

import dataclasses

import numpy as np
import planted
import pytest
import tensorflow as tf

from schema import features
from trainer.catalog import CatalogTensors
from trainer.config import TwoTowerConfig
from trainer.input import POSITIVE, user_tensors
from trainer.models.two_tower import TwoTower
from trainer.two_tower_config import SoftmaxConfig

ITEMS = 6
PROBABILITY = np.asarray([0.4, 0.3, 0.1, 0.1, 0.05, 0.05], np.float32)


def build(catalog=None, **overrides):
    tf.keras.utils.set_random_seed(3)
    settings = TwoTowerConfig(**{"embedding_dim": 4, "feature_dim": 2, **overrides})
    tensors = CatalogTensors(catalog or planted.make_catalog(ITEMS))
    return TwoTower(settings, 5, (3, 8, 2), tensors, PROBABILITY)


def batch(users, positives):
    context = tf.ones([len(users), 4], tf.int32)
    return {**user_tensors(tf.constant(users), context), POSITIVE: tf.constant(positives)}


def loss_by_numpy(model, inputs, temperature, log_q):
    users = model.encode_users(inputs).numpy().astype(np.float64)
    items = model.encode_items(inputs[POSITIVE]).numpy().astype(np.float64)
    positives = inputs[POSITIVE].numpy()
    logits = users @ items.T / temperature
    if log_q:
        logits -= np.log(PROBABILITY[positives])[None, :]
    losses = []
    for row, own in enumerate(positives):
        # An accidental hit is another row's positive of the same item.
        kept = [c for c, item in enumerate(positives) if c == row or item != own]
        losses.append(np.log(np.exp(logits[row, kept]).sum()) - logits[row, row])
    return np.mean(losses)


@pytest.mark.parametrize("log_q", [True, False])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_loss_is_the_corrected_softmax_without_accidental_hits(log_q, temperature):
    model = build(
        softmax=SoftmaxConfig(logq="frequency" if log_q else "none"), temperature=temperature
    )
    inputs = batch([0, 1, 2, 3], [5, 0, 5, 2])
    np.testing.assert_allclose(
        model.compute_loss(inputs, training=True),
        loss_by_numpy(model, inputs, temperature, log_q),
        rtol=1e-4,
    )


def test_normalized_towers_have_unit_length():
    codes = build(normalize=True).encode_items(tf.range(ITEMS))
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1.0, rtol=1e-5)
    free = build(normalize=False).encode_items(tf.range(ITEMS))
    assert np.ptp(np.linalg.norm(free, axis=1)) > 1e-4


@pytest.mark.parametrize("name", features.USER_CONTEXT_INDICES)
def test_every_user_feature_moves_the_user_code(name):
    model = build()
    inputs = batch([0], [0])
    changed = {**inputs, name: tf.zeros([1], tf.int32)}
    assert np.abs(model.encode_users(inputs) - model.encode_users(changed)).max() > 1e-4


def test_genres_and_year_move_the_item_code():
    catalog = planted.make_catalog(ITEMS)
    genres = catalog.genres.copy()
    genres[0] = np.roll(genres[0], 1)
    years = catalog.year_index.copy()
    years[1] = 3
    changed = dataclasses.replace(catalog, genres=genres, year_index=years)
    before, after = (build(c).encode_items(tf.range(ITEMS)) for c in (catalog, changed))
    moved = np.abs(before - after).max(axis=1) > 1e-4
    np.testing.assert_array_equal(moved, [True, True, False, False, False, False])


def test_hidden_layers_and_dropout_act_in_training_only():
    model = build(hidden_units=(16,), dropout=0.5)
    still = [model.encode_items(tf.range(ITEMS)) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    noisy = [model.encode_items(tf.range(ITEMS), training=True) for _ in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-3
    assert len(model.trainable_variables) > len(build().trainable_variables)


def test_l2_is_the_sum_of_squares_of_the_tables():
    model = build(l2=0.5)
    tables = [v.numpy() for v in model.variables if "embedding" in v.name]
    np.testing.assert_allclose(
        sum(model.losses), 0.5 * sum(np.square(table).sum() for table in tables), rtol=1e-5
    )


def test_items_without_vocabulary_row_start_from_their_content_alone():
    catalog = planted.make_catalog(ITEMS)
    index = catalog.item_index.copy()
    index[-1] = ITEMS
    model = build(dataclasses.replace(catalog, item_index=index, num_vocabulary=ITEMS))
    table = next(v for v in model.variables if v.name.startswith("item_embedding"))
    np.testing.assert_array_equal(table.numpy()[ITEMS:], 0.0)
    assert np.abs(table.numpy()[:ITEMS]).min() > 0
