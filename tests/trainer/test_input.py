"""Batches and negatives."""

import collections

import numpy as np
import planted
import pytest
import tensorflow as tf

from schema import features
from schema.errors import UserError
from trainer.input import NEGATIVES, POSITIVE, NegativeSampler, TrainingData

LISTS = [[0, 2, 3], [5], [4, 1, 0, 3]]


def draw(sampler, rows, count, seed=(1, 2)):
    return sampler(tf.constant(rows), count, tf.constant(seed, tf.int64)).numpy()


def test_negatives_are_uniform_over_exactly_the_unseen_items():
    sampler = NegativeSampler(planted.make_histories(LISTS), 6)
    drawn = draw(sampler, [0, 1, 2], 30_000)
    for row, unseen in enumerate([[1, 4, 5], [0, 1, 2, 3, 4], [2, 5]]):
        counts = collections.Counter(drawn[row].tolist())
        assert sorted(counts) == unseen
        # Five standard deviations of a binomial count.
        share = 1 / len(unseen)
        slack = 5 * np.sqrt(30_000 * share * (1 - share))
        assert all(abs(count - 30_000 * share) < slack for count in counts.values())


def test_a_negative_depends_on_the_seed_only():
    sampler = NegativeSampler(planted.make_histories(LISTS), 6)
    np.testing.assert_array_equal(draw(sampler, [0, 2], 9), draw(sampler, [0, 2], 9))
    assert (draw(sampler, [0, 2], 9) != draw(sampler, [0, 2], 9, seed=(1, 3))).any()


def test_many_random_histories_have_no_seen_negative():
    random = np.random.default_rng(0)
    lists = [random.choice(50, random.integers(1, 50), replace=False) for _ in range(200)]
    drawn = draw(NegativeSampler(planted.make_histories(lists), 50), np.arange(200), 40)
    for seen, negatives in zip(lists, drawn, strict=True):
        assert not set(seen) & set(negatives)
        assert set(negatives) <= set(range(50))


def pairs(data, epoch, batch_size):
    batches = list(data.epoch(epoch, batch_size))
    users = np.concatenate([batch[features.USER_INDEX] for batch in batches])
    items = np.concatenate([batch[POSITIVE] for batch in batches])
    return list(zip(users.tolist(), items.tolist(), strict=True))


def test_an_epoch_has_every_positive_and_fills_its_last_batch():
    data = TrainingData(planted.make_histories(LISTS), 6, 0, seed=1)
    seen = pairs(data, 1, 3)
    expected = {(user, item) for user, items in enumerate(LISTS) for item in items}
    assert len(seen) == 9
    assert set(seen) == expected
    assert set(seen[:8]) == expected


def test_epochs_differ_and_are_repeatable():
    data = TrainingData(planted.make_histories(LISTS), 6, 2, seed=1)
    assert pairs(data, 1, 8) == pairs(data, 1, 8)
    assert pairs(data, 1, 8) != pairs(data, 2, 8)
    first, second = (next(iter(data.epoch(number, 8)))[NEGATIVES] for number in (1, 2))
    assert first.shape == (8, 2)
    assert (first.numpy() != second.numpy()).any()


def test_items_without_vocabulary_row_are_avoided_but_not_trained_on():
    histories = planted.make_histories(LISTS)
    histories.trainable[0] = False
    data = TrainingData(histories, 6, 1, seed=1)
    assert data.size == 7
    assert (0, 0) not in pairs(data, 1, 7)


def test_a_user_who_has_seen_everything_is_an_error_where_negatives_are_sampled():
    full = planted.make_histories([[0, 1], [1]])
    with pytest.raises(UserError, match="1 users have interacted with all 2 items"):
        TrainingData(full, 2, 1, seed=1)
    assert TrainingData(full, 2, 0, seed=1).size == 3


def test_ratings_stay_with_their_interactions():
    histories = planted.make_histories(LISTS)
    histories.trainable[0] = False
    data = TrainingData(histories, 6, 0, seed=1, ratings=True)
    for batch in data.epoch(1, 7):
        np.testing.assert_array_equal(batch[features.RATING], planted.rating(batch[POSITIVE]))
    assert features.RATING not in next(iter(TrainingData(histories, 6, 0, seed=1).epoch(1, 7)))
