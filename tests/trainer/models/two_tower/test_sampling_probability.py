"""The streaming estimate of sampling probabilities."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.choices import names_of
from trainer.config.two_tower import SoftmaxConfig
from trainer.models.two_tower.sampling_probability import ESTIMATORS, StreamingFrequency


def algorithm_2(batches, rate, buckets):
    """Yi et al. 2019, algorithm 2, with B_0 the first gap; one item at a time."""
    last, gap = np.zeros(buckets), np.zeros(buckets)
    for step, batch in enumerate(batches, start=1):
        for bucket in {item % buckets for item in batch}:
            newest = step - last[bucket]
            gap[bucket] = (1 - rate) * gap[bucket] + rate * newest if gap[bucket] else newest
            last[bucket] = step
    return gap


# With 4 buckets items collide.
@pytest.mark.parametrize("buckets", [4, 20])
@pytest.mark.parametrize("compiled", [True, False])
def test_estimates_equal_the_papers_algorithm(buckets, compiled):
    batches = np.random.default_rng(0).choice(9, [30, 5], p=[0.6, *[0.05] * 8]).tolist()
    layer = StreamingFrequency(0.1, buckets)
    update = tf.function(layer.update, jit_compile=compiled)
    for step, batch in enumerate(batches, start=1):
        update(tf.constant(batch), tf.constant(step, tf.int64))
    gap = algorithm_2(batches, 0.1, buckets)
    np.testing.assert_allclose(
        layer.probability(tf.range(9), 1.0), 1 / gap[np.arange(9) % buckets], rtol=1e-5
    )


@pytest.mark.seconds
def test_estimates_approach_the_chance_of_being_in_a_batch():
    random = np.random.default_rng(0)
    chances = np.asarray([0.9, 0.5, 0.1])
    layer = StreamingFrequency(0.02, 100)
    update = tf.function(layer.update, reduce_retracing=True)
    for step in range(1, 2001):
        present = np.flatnonzero(random.random(3) < chances)
        update(tf.constant(present, tf.int32), tf.constant(step, tf.int64))
    np.testing.assert_allclose(layer.probability(tf.range(3), 1.0), chances, rtol=0.35)


def test_an_item_that_was_never_seen_has_probability_zero():
    assert StreamingFrequency(0.1, 8).probability(tf.constant([3]), 1.0).numpy() == [0.0]


def test_the_settings_name_the_estimators_that_there_are():
    assert names_of(SoftmaxConfig, "logq") == set(ESTIMATORS)
