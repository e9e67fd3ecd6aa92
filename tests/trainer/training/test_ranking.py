"""Ranks of one target and their metrics against NumPy, with many ties."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from trainer.ops.draws import marked
from trainer.training import ranking


def full(histories, targets, scores):
    scores, targets = tf.constant(scores, tf.float32), tf.constant(targets, tf.int32)
    history = tf.ragged.constant(histories, dtype=tf.int32, ragged_rank=1)
    left_out = tf.concat([history, targets[:, tf.newaxis]], axis=1)
    return ranking.compare(scores, targets, ~marked(left_out, tf.shape(scores)[1]))


def expected_over_orders(greater, ties, gain):
    """The mean gain over every position that an order of the ties can give."""
    return np.mean([gain(position) for position in range(greater, greater + ties + 1)])


@pytest.mark.parametrize("k", [1, 3, 10])
def test_metrics_are_means_over_all_orders_of_ties(k):
    pairs = np.asarray(list(itertools.product(range(13), range(13))), np.int32)
    hits = ranking.hit_rate(pairs[:, 0], pairs[:, 1], k).numpy()
    gains = ranking.ndcg(pairs[:, 0], pairs[:, 1], k).numpy()
    for (greater, ties), hit, gain in zip(pairs, hits, gains, strict=True):
        assert hit == pytest.approx(expected_over_orders(greater, ties, lambda p: p < k), abs=1e-6)
        assert gain == pytest.approx(
            expected_over_orders(greater, ties, lambda p: (p < k) / np.log2(p + 2)), abs=1e-6
        )


def test_full_ranks_equal_numpy_on_scores_with_many_ties():
    generator = np.random.default_rng(3)
    users, size = 200, 40
    scores = generator.integers(0, 5, (users, size)).astype(np.float32)
    histories = [
        generator.choice(size, generator.integers(0, 20), replace=False).tolist()
        for _ in range(users)
    ]
    # A target that is in the history is still ranked.
    targets = generator.integers(0, size, users)
    found = full(histories, targets, scores)
    for row in range(users):
        rest = np.setdiff1d(np.arange(size), [*histories[row], targets[row]])
        own = scores[row, targets[row]]
        assert found.greater[row] == np.sum(scores[row, rest] > own)
        assert found.ties[row] == np.sum(scores[row, rest] == own)


def test_a_constant_model_scores_as_chance():
    found = full([[]], [7], np.zeros((1, 100)))
    assert float(ranking.hit_rate(*found, 10)[0]) == pytest.approx(0.1)


def test_nan_never_helps():
    scores = np.asarray([[np.nan, 1.0, 2.0], [0.0, np.nan, -1.0], [np.nan] * 3])
    found = full([[], [], []], [0, 0, 0], scores)
    assert found.greater.numpy().tolist() == [2, 1, 2]
    assert found.ties.numpy().tolist() == [0, 0, 0]


def test_a_target_outside_the_catalog_ranks_last():
    found = full([[1, -1]], [-1], [[5.0, 4.0, 5.0]])
    assert (int(found.greater[0]), int(found.ties[0])) == (2, 0)
