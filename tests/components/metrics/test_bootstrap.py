"""Intervals over users."""

import numpy as np
import pytest

from components.metrics import bootstrap


def fingerprints(count):
    return np.random.default_rng(7).integers(-(2**63), 2**63 - 1, count)


def interval(values, users, weights=None):
    weights = np.ones(len(users)) if weights is None else weights
    return bootstrap.ends(bootstrap.means([(values, weights)], users))[:, 0]


def test_intervals_are_those_of_the_normal_approximation_on_many_users():
    values = (np.random.default_rng(0).random(20000) < 0.3).astype(float)
    lower, upper = interval(values, fingerprints(20000))
    error = values.std() / np.sqrt(20000)
    assert lower == pytest.approx(values.mean() - 1.96 * error, abs=0.25 * error)
    assert upper == pytest.approx(values.mean() + 1.96 * error, abs=0.25 * error)


def test_about_95_of_100_intervals_hold_the_truth():
    generator = np.random.default_rng(4)
    values = (generator.random((400, 200)) < 0.2).astype(float)
    # One resampling for 200 independent quantities would be one experiment.
    held = [
        lower <= 0.2 <= upper
        for lower, upper in (
            interval(values[:, column], fingerprints(80000)[column * 400 :][:400])
            for column in range(200)
        )
    ]
    assert 0.90 <= np.mean(held) <= 0.99


def test_intervals_depend_on_the_users_alone():
    values, users = np.random.default_rng(1).random(5000), fingerprints(5000)
    order = np.random.default_rng(2).permutation(5000)
    np.testing.assert_allclose(
        interval(values, users), interval(values[order], users[order]), rtol=1e-5
    )


def test_equal_quantities_are_paired():
    values, users = np.random.default_rng(1).random(5000), fingerprints(5000)
    ones = np.ones(5000)
    one, other = bootstrap.means([(values, ones), (values - 0.1, ones)], users).T
    np.testing.assert_allclose(one - other, 0.1, rtol=1e-4)


def test_rows_count_by_their_weights():
    values, users = np.random.default_rng(1).random(5000), fingerprints(5000)
    weights = (np.arange(5000) < 2000).astype(float)
    of_some = interval(values[:2000], users[:2000])
    # What has no weight changes nothing, whatever it is.
    values[2000:] = 1e6
    np.testing.assert_allclose(interval(values, users, weights), of_some, rtol=1e-4)
    # A weight of 2 is the row twice.
    once, twice = values[:2000], np.concatenate([values[:2000], values[:500]])
    doubled = np.where(np.arange(2000) < 500, 2.0, 1.0)
    np.testing.assert_allclose(
        interval(once, users[:2000], doubled),
        interval(twice, np.concatenate([users[:2000], users[:500]])),
        rtol=1e-4,
    )


def test_resamples_without_any_row_that_counts_are_left_out():
    users, values = fingerprints(3), np.asarray([0.2, 0.4, 0.6])
    weights = [np.ones(3), np.asarray([1.0, 0, 0]), np.zeros(3)]
    means = bootstrap.means([(values, weight) for weight in weights], users)
    assert means.shape == (bootstrap.RESAMPLES + 1, 3)
    missing = np.isnan(means).mean(axis=0)
    # A Poisson(1) count is 0 with chance 1 / e.
    assert missing[0] == pytest.approx(np.exp(-3), abs=0.03)
    assert missing[1] == pytest.approx(np.exp(-1), abs=0.06)
    assert missing[2] == 1
    ends = bootstrap.ends(means)
    np.testing.assert_allclose(ends[:, 1], 0.2, rtol=1e-6)
    assert np.isnan(ends[:, 2]).all()


def test_the_interval_of_one_user_exists():
    np.testing.assert_allclose(interval(np.asarray([0.5]), np.asarray([3])), 0.5)
