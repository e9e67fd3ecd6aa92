"""Losses of sampled negatives against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.choices import choose, names_of
from tests.support.small_towers import ITEMS, batch, build
from trainer.config.two_tower import FULL_SOFTMAX, SOFTMAX, TwoTowerConfig
from trainer.data.batches import NEGATIVES
from trainer.models import losses

SCORES = np.asarray([[2.0, -1.0, 3.0], [0.5, 0.4, -7.0], [-30.0, 40.0, 0.0]], np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def test_cross_entropy_is_the_mean_log_loss_of_all_pairs():
    right, wrong = sigmoid(SCORES[:, 0]), sigmoid(-SCORES[:, 1:])
    expected = -(np.log(right).sum() + np.log(wrong).sum()) / SCORES.size
    np.testing.assert_allclose(losses.cross_entropy(tf.constant(SCORES)), expected, rtol=1e-5)


@pytest.mark.parametrize("margin", [0.5, 2.0])
def test_max_margin_is_the_mean_hinge_of_all_negatives(margin):
    expected = np.maximum(0, margin - SCORES[:, :1] + SCORES[:, 1:]).mean()
    np.testing.assert_allclose(losses.max_margin(tf.constant(SCORES), margin), expected, rtol=1e-6)


def test_bpr_is_the_mean_log_chance_of_the_right_order():
    expected = -np.log(sigmoid(SCORES[:, :1] - SCORES[:, 1:])).mean()
    np.testing.assert_allclose(losses.bpr(tf.constant(SCORES)), expected, rtol=1e-5)


def test_the_settings_name_the_losses_that_there_are():
    assert names_of(TwoTowerConfig, "loss") == {SOFTMAX, FULL_SOFTMAX, *losses.LOSSES}


def test_one_function_and_one_name_make_a_loss(monkeypatch):
    def toy(scores, margin):
        return tf.reduce_sum(scores) + 1000 * margin

    monkeypatch.setitem(losses.LOSSES, "toy", toy)
    model = build(loss="bpr", normalize=False, temperature=0.5, margin=2.0)
    choose(model._settings, "loss", "toy")
    inputs = batch([0, 1], [5, 0])
    inputs[NEGATIVES] = tf.constant([[1, 4], [3, 2]])
    users = model.user_embedding(inputs).numpy()
    items = model.item_embedding(tf.range(ITEMS)).numpy()
    scores = users @ items.T / 0.5
    expected = scores[0, [5, 1, 4]].sum() + scores[1, [0, 3, 2]].sum() + 2000
    np.testing.assert_allclose(model.compute_loss(inputs, training=True), expected, rtol=1e-5)


def test_a_name_without_a_function_trains_nothing():
    model = build(loss="bpr")
    choose(model._settings, "loss", "toy")
    inputs = batch([0], [5])
    inputs[NEGATIVES] = tf.constant([[1]])
    with pytest.raises(KeyError, match="toy"):
        model.compute_loss(inputs, training=True)
