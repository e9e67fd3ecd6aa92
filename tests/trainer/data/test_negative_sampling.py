"""Sampled negatives."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from schema.errors import UserError
from schema.settings import replace_values
from tests.support import planted
from tests.support.choices import choose, names_of
from trainer.config.trainer import TrainerConfig
from trainer.data.batches import NEGATIVES, POSITIVE, TrainingData
from trainer.data.negative_sampling import (
    SAMPLERS,
    NegativeSampler,
    UnseenSampler,
    WeightedSampler,
)
from trainer.training.train import train

LISTS = [[0, 2, 3], [5], [4, 1, 0, 3]]


def draw(sampler, rows, count, seed=(1, 2)):
    positives = tf.zeros([len(rows)], tf.int32)
    return sampler(tf.constant(rows), positives, count, tf.constant(seed, tf.int64)).numpy()


def test_negatives_are_uniform_over_exactly_the_unseen_items():
    sampler = UnseenSampler(planted.make_histories(LISTS), 6)
    drawn = draw(sampler, [0, 1, 2], 30_000)
    for row, unseen in enumerate([[1, 4, 5], [0, 1, 2, 3, 4], [2, 5]]):
        counts = collections.Counter(drawn[row].tolist())
        assert sorted(counts) == unseen
        # Five standard deviations of a binomial count.
        share = 1 / len(unseen)
        slack = 5 * np.sqrt(30_000 * share * (1 - share))
        assert all(abs(count - 30_000 * share) < slack for count in counts.values())


def test_a_negative_depends_on_the_seed_only():
    sampler = UnseenSampler(planted.make_histories(LISTS), 6)
    np.testing.assert_array_equal(draw(sampler, [0, 2], 9), draw(sampler, [0, 2], 9))
    assert (draw(sampler, [0, 2], 9) != draw(sampler, [0, 2], 9, seed=(1, 3))).any()


def test_many_random_histories_have_no_seen_negative():
    random = np.random.default_rng(0)
    lists = [random.choice(50, random.integers(1, 50), replace=False) for _ in range(200)]
    drawn = draw(UnseenSampler(planted.make_histories(lists), 50), np.arange(200), 40)
    for seen, negatives in zip(lists, drawn, strict=True):
        assert not set(seen) & set(negatives)
        assert set(negatives) <= set(range(50))


def assert_shares(drawn, expected):
    """Counts of items are within five standard deviations of a binomial count."""
    counts = np.bincount(drawn, minlength=len(expected))
    expected = np.asarray(expected)
    slack = 5 * np.sqrt(len(drawn) * expected * (1 - expected))
    assert (np.abs(counts - len(drawn) * expected) <= slack).all()


def draw_with(sampler, exponent, positives):
    """30,000 negatives of each positive; item counts are [2, 1, 1, 2, 1, 1]."""
    histories = planted.make_histories(LISTS)
    rows, seed = tf.zeros([len(positives)], tf.int32), tf.constant([1, 2], tf.int64)
    drawn = SAMPLERS[sampler](histories, 6, exponent)(rows, tf.constant(positives), 30_000, seed)
    assert drawn.dtype == tf.int32
    return drawn.numpy()


def test_random_negatives_are_uniform_over_all_items_but_the_positive():
    for positive, drawn in zip([0, 3, 5], draw_with("random", 0.0, [0, 3, 5]), strict=True):
        expected = np.full(6, 1 / 5)
        expected[positive] = 0.0
        assert_shares(drawn, expected)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0])
def test_popular_negatives_follow_the_powered_frequency(exponent):
    weights = np.asarray([2, 1, 1, 2, 1, 1]) ** exponent
    for positive, drawn in zip([0, 4], draw_with("popular", exponent, [0, 4]), strict=True):
        expected = weights.copy()
        expected[positive] = 0.0
        assert_shares(drawn, expected / expected.sum())


def test_items_without_weight_are_never_drawn():
    sampler = WeightedSampler(np.asarray([0.0, 0.3, 0.0, 0.7, 0.0]))
    positives, seed = tf.constant([0, 1, 3]), tf.constant([1, 2], tf.int64)
    drawn = sampler(tf.zeros([3], tf.int32), positives, 2000, seed).numpy()
    assert [sorted(set(row)) for row in drawn.tolist()] == [[1, 3], [3], [1]]


def test_a_single_item_to_sample_from_is_an_error():
    with pytest.raises(UserError, match="Only 1 of 3 items"):
        WeightedSampler(np.asarray([0.0, 2.0, 0.0]))


def test_batches_take_the_given_sampler():
    histories = planted.make_histories(LISTS)
    data = TrainingData(histories, 6, 50, 1, SAMPLERS["random"](histories, 6, 0.0))
    batch = next(iter(data.epoch(1, 8)))
    pairs = list(zip(batch[POSITIVE].numpy(), batch[NEGATIVES].numpy(), strict=True))
    assert all({own} | set(drawn) == set(range(6)) for own, drawn in pairs)
    assert all(own not in drawn for own, drawn in pairs)


def test_the_settings_name_the_samplers_that_there_are():
    assert names_of(TrainerConfig, "sampler") == set(SAMPLERS)


class First(NegativeSampler):
    """Draws item 0, and keeps what it was asked for."""

    def __init__(self, histories, num_items, exponent):
        self.made_with = len(histories.positions), num_items, exponent
        self.tensors = {}
        self.counts = []

    def __call__(self, rows, positives, count, seed, part=None, tensors=None):
        self.counts.append(count)
        return tf.zeros([tf.size(rows), count], tf.int32)


def toy_config():
    changes = {"epochs": 1, "jit_compile": False, "popularity_exponent": 0.25}
    return choose(replace_values(planted.CONFIGS["mf"], changes), "sampler", "toy")


@pytest.mark.seconds
def test_one_class_and_one_name_make_a_sampler(monkeypatch):
    made = []
    monkeypatch.setitem(SAMPLERS, "toy", lambda *given: made.append(First(*given)) or made[-1])
    dataset = planted.make_dataset()
    config = toy_config()
    trained = train(config, planted.EVALUATION, dataset, None)
    assert [sampler.made_with for sampler in made] == [(80 * 8, 60, 0.25)]
    assert made[0].counts == [config.negatives_per_positive]
    # The item that is always the negative falls behind all others.
    biases = trained.model._item_bias.numpy()[:60, 0]
    assert biases.argmin() == 0


def test_a_name_without_a_sampler_trains_nothing():
    with pytest.raises(KeyError, match="toy"):
        train(toy_config(), planted.EVALUATION, planted.make_dataset(), None)
