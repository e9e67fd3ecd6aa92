"""Masks, mutual information and the contrastive loss against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.models.self_supervision import (
    SelfSupervision,
    correlated_masks,
    mutual_information,
)
from trainer.two_tower_config import SelfSupervisionConfig

# Of 12 items the first two features tell the same, so do the next two.
COLUMNS = [
    np.arange(12) % 3,
    np.arange(12) % 3 + 5,
    np.arange(12) // 6,
    1 - np.arange(12) // 6,
]
WIDTHS = [2, 3, 1, 4]


def build(pattern, columns=COLUMNS, **overrides):
    settings = SelfSupervisionConfig(pattern=pattern, **overrides)
    return SelfSupervision(settings, columns, WIDTHS[: len(columns)])


def draws(layer, number=200):
    masks = tf.function(layer.masks, jit_compile=True)
    rows = [masks(tf.constant([3, step], tf.int64)) for step in range(number)]
    return [np.stack(side) for side in zip(*rows, strict=True)]


def test_random_masks_cover_half_of_the_features_in_each_view_on_its_own():
    left, right = draws(build("rfm"))
    assert (left.sum(axis=1) == 2).all()
    assert (right.sum(axis=1) == 2).all()
    assert len(np.unique(left, axis=0)) == len(np.unique(right, axis=0)) == 6
    # Two halves of four features are complements in one case of six.
    assert 0.05 < (left != right).all(axis=1).mean() < 0.35
    np.testing.assert_allclose(left.mean(axis=0), 0.5, atol=0.15)


def test_complementary_masks_share_the_features_out():
    left, right = draws(build("rfm-complementary"))
    assert (left != right).all()
    assert (left.sum(axis=1) == 2).all()
    assert len(np.unique(left, axis=0)) == 6


def test_correlated_features_are_masked_together():
    left, right = draws(build("cfm"))
    assert (left != right).all()
    assert {tuple(row) for row in left.tolist()} == {
        (True, True, False, False),
        (False, False, True, True),
    }


def test_of_an_odd_number_the_first_view_masks_the_larger_half():
    for pattern in ("rfm", "rfm-complementary", "cfm"):
        left, _ = draws(build(pattern, COLUMNS[:3]), 5)
        assert (left.sum(axis=1) == 2).all()


def test_a_view_has_learned_vectors_in_the_place_of_masked_features():
    layer = build("rfm")
    layer.set_weights([np.full(width, 10.0 + width) for width in WIDTHS])
    parts = [tf.fill([5, width], float(width)) for width in WIDTHS]
    view = layer.view(parts, tf.constant([True, False, False, True]))
    assert [part.shape for part in view] == [(5, 2), (5, 3), (5, 1), (5, 4)]
    assert [float(part[0, 0]) for part in view] == [12.0, 3.0, 1.0, 14.0]
    assert len(layer.trainable_variables) == 4


def test_mutual_information_equals_the_sum_over_categories():
    random = np.random.default_rng(0)
    x = random.integers(3, size=50)
    y = np.where(random.random(50) < 0.5, x, random.integers(4, size=50)) * 7
    expected = 0.0
    for a in np.unique(x):
        for b in np.unique(y):
            both, alone = np.mean((x == a) & (y == b)), np.mean(x == a) * np.mean(y == b)
            expected += both * np.log(both / alone) if both else 0.0
    information = mutual_information([x, y])
    np.testing.assert_allclose(information[0, 1], expected)
    np.testing.assert_allclose(information, information.T)
    share = np.unique(x, return_counts=True)[1] / 50
    np.testing.assert_allclose(information[0, 0], -(share * np.log(share)).sum())


def test_independent_features_have_no_mutual_information():
    np.testing.assert_allclose(mutual_information(COLUMNS)[:2, 2:], 0.0, atol=1e-12)


def test_the_most_telling_features_are_masked_with_the_seed():
    information = np.asarray(
        [
            [2.0, 0.1, 0.9, 0.5, 0.2],
            [0.1, 1.0, 0.2, 0.2, 0.2],
            [0.9, 0.2, 1.0, 0.7, 0.1],
            [0.5, 0.2, 0.7, 1.0, 0.8],
            [0.2, 0.2, 0.1, 0.8, 1.0],
        ]
    )
    masked = [np.flatnonzero(row).tolist() for row in correlated_masks(information)]
    assert masked == [[0, 2, 3], [1, 2, 3], [0, 2, 3], [2, 3, 4], [0, 3, 4]]


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_the_loss_is_the_softmax_over_cosines_of_the_views(temperature):
    random = np.random.default_rng(0)
    left, right = random.normal(size=(2, 4, 3))
    positions = [7, 2, 7, 5]
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (left, right)]
    logits = unit[0] @ unit[1].T / temperature
    expected = []
    for row, own in enumerate(positions):
        kept = [c for c, other in enumerate(positions) if c == row or other != own]
        expected.append(np.log(np.exp(logits[row, kept]).sum()) - logits[row, row])
    loss = build("rfm", temperature=temperature).loss(
        tf.constant(left, tf.float32), tf.constant(right, tf.float32), tf.constant(positions)
    )
    np.testing.assert_allclose(loss, np.mean(expected), rtol=1e-5)
