"""Draws of items: reproducible in any batch, and as frequent as expected."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.ops.draws import by_chunks, draw, draw_repeatedly, fingerprint, gumbel

EARLIER = [[1, 4, 11, 12, 19], [3, 9, 11, 14, 15]]


USERS = [f"user {number}" for number in range(4000)]


def flagged(positions, size):
    """bool [B, C], what was drawn."""
    flags = np.zeros((len(positions), size + 1), bool)
    np.put_along_axis(flags, np.asarray(positions), True, axis=1)
    return flags[:, :-1]


def drawn(users, names, allowed, count=5, seed=1, weights=None):
    users, names = (fingerprint(tf.constant(ids)) for ids in (users, names))
    weights = None if weights is None else tf.constant(weights, tf.float32)
    positions = draw(users, names, tf.constant(allowed), count=count, seed=seed, weights=weights)
    return flagged(positions, allowed.shape[1])


def test_a_draw_depends_on_seed_user_and_item_alone():
    users = [f"u{number}" for number in range(8)]
    names = [f"i{number}" for number in range(50)]
    allowed = np.random.default_rng(0).random((8, 50)) < 0.7
    whole = drawn(users, names, allowed)
    order, columns = np.arange(8)[::-1], np.random.default_rng(1).permutation(50)
    shuffled = drawn(
        [users[i] for i in order], [names[i] for i in columns], allowed[order][:, columns]
    )
    np.testing.assert_array_equal(shuffled, whole[order][:, columns])
    np.testing.assert_array_equal(drawn(users[3:4], names, allowed[3:4]), whole[3:4])
    assert (drawn(users, names, allowed, seed=2) != whole).any()
    assert (whole.sum(axis=1) == 5).all()
    assert not (whole & ~allowed).any()


def test_draws_are_uniform_and_independent_between_users():
    users = [f"{number}" for number in range(1, 4001)]
    names = [f"{number}" for number in range(1, 101)]
    chosen = drawn(users, names, np.ones((4000, 100), bool), count=10)
    # Each item is drawn Binomial(4000, 0.1) times: chi-square with 99 degrees of
    # freedom (less 10 % for drawing without replacement), 99.9 % below 149.
    chi_square = np.sum((chosen.sum(axis=0) - 400) ** 2 / (400 * 0.9))
    assert 50 < chi_square < 149
    # Two users share Hypergeometric items, 1 in the mean with variance 0.818.
    shared = np.sum(chosen[:-1] & chosen[1:], axis=1)
    assert shared.mean() == pytest.approx(1.0, abs=4 * np.sqrt(0.818 / 4000))


def test_the_uniform_draw_is_that_of_earlier_versions():
    # Published figures of the sampled protocol rest on it.
    chosen = drawn(["1", "2"], [str(number) for number in range(1, 21)], np.ones((2, 20), bool))
    assert [np.flatnonzero(row).tolist() for row in chosen] == EARLIER


def test_a_draw_by_weight_takes_item_after_item_in_proportion():
    weights = np.asarray([8.0, 4, 2, 1, 0, 5])
    allowed = np.ones((4000, 6), bool)
    allowed[:, 5] = False
    chosen = drawn(USERS, list("abcdef"), allowed, count=2, weights=weights)
    share = weights * allowed[0] / 15
    # Of the first draw, or of the second after any other first.
    expected = [
        p + sum(first * p / (1 - first) for j, first in enumerate(share) if j != i)
        for i, p in enumerate(share)
    ]
    deviation = np.sqrt(np.multiply(expected, 1 - np.asarray(expected)) / 4000)
    assert (np.abs(chosen.mean(axis=0) - expected) <= 4 * deviation).all()
    assert (chosen.sum(axis=1) == 2).all()


def test_fewer_items_with_weight_than_draws_are_all_drawn():
    chosen = drawn(["u"], list("abcd"), np.ones((1, 4), bool), count=3, weights=[0, 1e-3, 1e6, 0])
    assert chosen.tolist() == [[False, True, True, False]]


def repeatedly(excluded, weights, count, users=USERS, seed=1):
    sums = tf.constant(np.concatenate([[0], np.cumsum(weights)]), tf.int64)
    positions = tf.constant(np.tile(np.asarray(excluded, np.int32), (len(users), 1)))
    names = fingerprint(tf.constant(users))
    return draw_repeatedly(names, positions, sums, count=count, seed=seed).numpy()


@pytest.mark.parametrize("weights", [[1] * 8, [7, 0, 3, 20, 1, 1, 5, 2]])
@pytest.mark.parametrize("excluded", [[8, 8], [3, 8], [0, 7], [0, 1, 2, 4, 7]])
def test_repeated_draws_follow_the_weights_of_what_is_not_excluded(weights, excluded):
    chosen = repeatedly(excluded, weights, count=10)
    left = np.asarray([0 if item in excluded else w for item, w in enumerate(weights)])
    expected = left / left.sum() * chosen.size
    counts = np.bincount(chosen.ravel(), minlength=8)
    assert (counts[expected == 0] == 0).all()
    possible = expected > 0
    chi_square = np.sum((counts - expected)[possible] ** 2 / expected[possible])
    # With up to 7 degrees of freedom 99.99 % lie below 30.
    assert chi_square < 30
    # Draws of a user are independent: the first two are equal as often as chance has it.
    equal = np.mean(chosen[:, 0] == chosen[:, 1])
    chance = np.sum((left / left.sum()) ** 2)
    assert equal == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / 4000) + 1e-9)


def test_repeated_draws_reach_the_ends_of_large_catalogs():
    chosen = repeatedly([0, 5], [1] * 100_000, count=200, users=USERS[:2000])
    assert chosen.min() > 0
    assert chosen.max() == 99_999
    counts = np.bincount(chosen.ravel() // 10_000)
    assert np.abs(counts - 40_000).max() < 5 * np.sqrt(40_000)


def test_repeated_draws_do_not_depend_on_the_batch():
    whole = repeatedly([2, 8], [1] * 8, count=6)
    np.testing.assert_array_equal(
        repeatedly([2, 8], [1] * 8, count=6, users=USERS[70:72]), whole[70:72]
    )
    np.testing.assert_array_equal(repeatedly([2, 8], [1] * 8, count=3), whole[:, :3])
    assert (repeatedly([2, 8], [1] * 8, count=6, seed=2) != whole).any()


def test_nothing_to_draw_repeatedly_gives_none():
    assert (repeatedly([0, 1], [4, 4, 0], count=3, users=["u"]) == -1).all()


@pytest.mark.parametrize("pairs", [1, 7 * 3, 1000])
def test_chunks_give_what_the_whole_gives(pairs):
    values = tf.reshape(tf.range(50.0), [10, 5])
    (result,) = by_chunks(
        lambda start, end: [values[start:end] * 2.0],
        tf.constant(10),
        tf.constant(3),
        [tf.float32],
        pairs,
    )
    np.testing.assert_array_equal(result, values * 2)


def test_an_empty_batch_has_its_columns():
    (result,) = by_chunks(
        lambda start, end: [tf.zeros([end - start, 4])],
        tf.constant(0),
        tf.constant(9),
        [tf.float32],
    )
    assert result.shape == (0, 4)


def test_gumbel_noise_has_its_distribution_to_the_tails():
    users, names = (fingerprint(tf.constant(ids)) for ids in (USERS, [str(n) for n in range(500)]))
    noise = gumbel(users, names, 3).numpy()
    np.testing.assert_array_equal(gumbel(users[7:9], names, tf.constant(3)), noise[7:9])
    # An empirical share has a standard error of sqrt(p (1 - p) / n).
    for share in (1e-5, 0.01, 0.3, 0.9, 0.9999, 1 - 1e-5):
        found = np.mean(noise < -np.log(-np.log(share)))
        assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / noise.size)
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 4 / np.sqrt(noise.size)
    with_another_seed = gumbel(users, names, -3).numpy()
    assert abs(np.corrcoef(noise.ravel(), with_another_seed.ravel())[0, 1]) < 0.003
