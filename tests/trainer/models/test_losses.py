"""Losses of sampled negatives against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

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
