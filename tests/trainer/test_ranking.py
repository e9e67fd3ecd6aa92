"""Ranks, metrics of ranks and drawn candidates against NumPy, with many ties."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from trainer import ranking
from trainer.sampling import by_chunks, draw, fingerprint


def ragged(rows):
    return tf.ragged.constant(rows, dtype=tf.int32, ragged_rank=1)


def queries(histories, targets, candidates=None, users=None):
    users = users or [f"u{row}" for row in range(len(targets))]
    return ranking.Queries(
        user_fingerprint=fingerprint(tf.constant(users)),
        history=ragged(histories),
        target=tf.constant(targets, tf.int32),
        candidates=ragged(candidates or [[]] * len(targets)),
    )


def items(count):
    return fingerprint(tf.constant([f"i{position}" for position in range(count)]))


def rank(query, scores, **options):
    scores = tf.constant(scores, tf.float32)
    return ranking.rank(
        query,
        {"model": lambda start, end: scores[start:end]},
        items(scores.shape[1]),
        **{"negatives": 3, "seed": 1, **options},
    )


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
    found = rank(queries(histories, targets), scores)["model_full"]
    for row in range(users):
        rest = np.setdiff1d(np.arange(size), [*histories[row], targets[row]])
        own = scores[row, targets[row]]
        assert found.greater[row] == np.sum(scores[row, rest] > own)
        assert found.ties[row] == np.sum(scores[row, rest] == own)


def test_a_constant_model_scores_as_chance():
    found = rank(queries([[]], [7]), np.zeros((1, 100)))["model_full"]
    assert float(ranking.hit_rate(*found, 10)[0]) == pytest.approx(0.1)


def test_nan_never_helps():
    scores = np.asarray([[np.nan, 1.0, 2.0], [0.0, np.nan, -1.0], [np.nan] * 3])
    found = rank(queries([[], [], []], [0, 0, 0]), scores)["model_full"]
    assert found.greater.numpy().tolist() == [2, 1, 2]
    assert found.ties.numpy().tolist() == [0, 0, 0]


def test_a_target_outside_the_catalog_ranks_last():
    found = rank(queries([[1, -1]], [-1]), [[5.0, 4.0, 5.0]])["model_full"]
    assert (int(found.greater[0]), int(found.ties[0])) == (2, 0)


def test_given_candidates_count_once_and_never_the_target():
    scores = [[5.0, 4.0, 3.0, 2.0, 9.0, 9.0]]
    # The target 2, a repetition and an unknown item among them; item 4 was seen.
    found = rank(queries([[4]], [2], [[0, 0, 2, 3, -1, 4]]), scores)["model_sampled"]
    assert int(found.greater[0]) == 2


def test_given_and_drawn_candidates_stand_side_by_side():
    scores = np.tile(np.arange(6.0), (2, 1))
    found = rank(queries([[], []], [0, 0], [[5], []]), scores)["model_sampled"]
    assert found.greater.numpy().tolist() == [1, 3]


def test_a_user_with_few_unseen_items_has_them_all():
    scores = [[0.0, 1.0, 1.0, 1.0]]
    found = rank(queries([[1]], [0]), scores, negatives=99)["model_sampled"]
    assert int(found.greater[0]) == 2


def drawn(users, names, allowed, count=5, seed=1):
    users, names = (fingerprint(tf.constant(ids)) for ids in (users, names))
    return draw(users, names, tf.constant(allowed), count=count, seed=seed).numpy()


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


def test_chunks_give_what_the_whole_gives(monkeypatch):
    generator = np.random.default_rng(5)
    scores = generator.integers(0, 4, (50, 30)).astype(np.float32)
    query = queries([[row % 30] for row in range(50)], generator.integers(0, 30, 50))
    whole = rank(query, scores)
    monkeypatch.setattr("trainer.sampling._PAIRS_AT_A_TIME", 7 * 30)
    parts = rank(query, scores)
    for name, ranks in whole.items():
        for expected, found in zip(ranks, parts[name], strict=True):
            np.testing.assert_array_equal(found, expected)


def test_an_empty_batch_has_its_columns():
    (result,) = by_chunks(
        lambda start, end: [tf.zeros([end - start, 4])],
        tf.constant(0),
        tf.constant(9),
        [tf.float32],
    )
    assert result.shape == (0, 4)


def test_a_scorer_may_share_one_row_of_scores():
    query = queries([[], []], [1, 2])
    shared = ranking.rank(
        query,
        {"popularity": lambda start, end: tf.constant([[3.0, 2.0, 1.0]])},
        items(3),
        negatives=2,
        seed=0,
        protocols=("full",),
    )
    assert shared["popularity_full"].greater.numpy().tolist() == [1, 2]
