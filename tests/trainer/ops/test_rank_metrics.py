"""HR and NDCG of counted ranks against NumPy, with many ties."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.evaluation import ProtocolConfig
from trainer.ops import rank_metrics
from trainer.ops.candidates import held_out_batch, most_targets
from trainer.ops.ranks import TargetRanks
from trainer.ops.tie_groups import AVERAGE, tie_groups


def groups(greater, ties, length=100):
    """Tie groups of rows with one target each."""
    ones = np.ones(len(greater), np.int64)
    return tie_groups(np.asarray(greater), np.asarray(ties), ones, length * ones, AVERAGE)


def full(histories, targets, scores):
    """Greater and ties of one target a row among all items but history and target."""
    ragged = tf.ragged.constant(histories, dtype=tf.int32, ragged_rank=1)
    held = tf.RaggedTensor.from_tensor(tf.constant(targets, tf.int32)[:, tf.newaxis])
    users = tf.zeros([len(targets)], tf.int64)
    rows = held_out_batch(users, ragged, held, held[:, :0], most_targets(held))
    ranks, _ = TargetRanks(rows, tf.constant(scores, tf.float32)).ranks(ProtocolConfig(), None)
    return ranks.greater.numpy()[:, 0], ranks.ties.numpy()[:, 0]


def expected_over_orders(greater, ties, gain):
    """The mean gain over every position that an order of the ties can give."""
    return np.mean([gain(position) for position in range(greater, greater + ties + 1)])


@pytest.mark.parametrize("k", [1, 3, 10])
def test_metrics_are_means_over_all_orders_of_ties(k):
    pairs = np.asarray(list(itertools.product(range(13), range(13))))
    found = groups(pairs[:, 0], pairs[:, 1])
    hits, gains = rank_metrics.hit_rate(found, k), rank_metrics.ndcg(found, k)
    for (greater, ties), hit, gain in zip(pairs, hits, gains, strict=True):
        assert hit == pytest.approx(expected_over_orders(greater, ties, lambda p: p < k), abs=1e-6)
        assert gain == pytest.approx(
            expected_over_orders(greater, ties, lambda p: (p < k) / np.log2(p + 2)), abs=1e-6
        )


def test_several_targets_by_hand():
    # The first row's targets share the places 0 .. 2 with a candidate, the
    # second row has one in front and one behind everything.
    counts = np.asarray([2, 2])
    found = tie_groups(
        np.asarray([0, 0, 9, 0]), np.asarray([2, 2, 0, 0]), counts, np.asarray([10, 10]), AVERAGE
    )
    # Of three equally likely places for the candidate one keeps both targets from the first.
    assert rank_metrics.hit_rate(found, 1) == pytest.approx([2 / 3, 1])
    first, second, third = 1 / np.log2([2, 3, 4])
    ideal = first + second
    assert rank_metrics.ndcg(found, 3) == pytest.approx(
        [2 / 3 * (first + second + third) / ideal, first / ideal]
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
    greater, ties = full(histories, targets, scores)
    for row in range(users):
        rest = np.setdiff1d(np.arange(size), [*histories[row], targets[row]])
        own = scores[row, targets[row]]
        assert greater[row] == np.sum(scores[row, rest] > own)
        assert ties[row] == np.sum(scores[row, rest] == own)


def test_a_constant_model_scores_as_chance():
    found = groups(*full([[]], [7], np.zeros((1, 100))))
    assert float(rank_metrics.hit_rate(found, 10)[0]) == pytest.approx(0.1)


def test_nan_never_helps():
    scores = np.asarray([[np.nan, 1.0, 2.0], [0.0, np.nan, -1.0], [np.nan] * 3])
    greater, ties = full([[], [], []], [0, 0, 0], scores)
    assert greater.tolist() == [2, 1, 2]
    assert ties.tolist() == [0, 0, 0]


def test_a_target_outside_the_catalog_ranks_last():
    greater, ties = full([[1, -1]], [-1], [[5.0, 4.0, 5.0]])
    assert (greater.tolist(), ties.tolist()) == ([2], [0])
