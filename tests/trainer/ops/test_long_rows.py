"""What is done to long rows in one pass: counts, largest values, lists and draws."""

import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.evaluation import ProtocolConfig
from trainer.ops import draws, long_rows, lookup, ranks
from trainer.ops.candidates import HeldOutBatch

NAN, INF = math.nan, math.inf
# Neither a multiple of the parts nor of any block.
SIZE = 1003


def scores(rows=7, seed=0):
    """Few different values, so that there are many ties, and every odd one."""
    random = np.random.default_rng(seed)
    made = random.integers(-3, 30, (rows, SIZE)).astype(np.float32)
    for odd in (NAN, INF, -INF, -0.0):
        made[random.random(made.shape) < 0.03] = odd
    return made


def test_values_up_to_a_bound_are_counted():
    values = tf.constant([[1.0, 2, 2, 3, NAN], [5, -INF, INF, 5, 5], [0, -0.0, 1, 2, 3]])
    below, equal = long_rows.count_up_to(values, tf.constant([2.0, 5, 0]))
    assert below.numpy().tolist() == [3, 4, 2]
    assert equal.numpy().tolist() == [2, 3, 2]


def test_nothing_is_up_to_what_is_no_number():
    below, equal = long_rows.count_up_to(tf.constant([[1.0, NAN, INF]]), tf.constant([NAN]))
    assert (below.numpy().tolist(), equal.numpy().tolist()) == ([0], [0])


def test_more_values_are_counted_than_half_a_number_holds():
    below, equal = long_rows.count_up_to(tf.zeros([1, 70_000]), tf.constant([0.0]))
    assert (below.numpy().tolist(), equal.numpy().tolist()) == ([70_000], [70_000])


def test_counts_are_those_of_numpy():
    made = scores()
    bound = made[:, 5]
    below, equal = long_rows.count_up_to(tf.constant(made), tf.constant(bound))
    np.testing.assert_array_equal(below, (made <= bound[:, None]).sum(axis=1))
    np.testing.assert_array_equal(equal, (made == bound[:, None]).sum(axis=1))


@pytest.mark.parametrize("k", [1, 3, 10, 99, 700, 1003])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_the_largest_are_those_of_the_whole_row_in_its_order(k, dtype):
    random = np.random.default_rng(k)
    values = tf.constant(random.integers(0, 50, (9, SIZE)).astype(dtype))
    found = long_rows.largest(long_rows.padded(values, k, -1), k)
    for one, other in zip(found, tf.math.top_k(values, k), strict=True):
        np.testing.assert_array_equal(one, other)


def test_of_equal_values_the_first_are_taken():
    best, where = long_rows.largest(long_rows.padded(tf.ones([1, 300]), 2, -1.0), 2)
    assert (best.numpy().tolist(), where.numpy().tolist()) == ([[1, 1]], [[0, 1]])


@pytest.mark.parametrize("k", [1, 10, 500])
def test_lists_are_those_of_short_rows(k):
    made = tf.constant(scores())
    left_out = tf.constant(np.random.default_rng(3).random(made.shape) < 0.7)
    np.testing.assert_array_equal(
        long_rows.best_positions(made, left_out, k), lookup.best_items(made, left_out, k)[1]
    )


def test_a_list_ends_where_no_item_is_left():
    made = tf.constant([[3.0, NAN, 4, -INF, 5]])
    left_out = tf.constant([[False, False, True, False, False]])
    found = long_rows.best_positions(made, left_out, 4)
    assert found.numpy().tolist() == [[4, 0, -1, -1]]


@pytest.mark.parametrize("count", [5, 99, 1200])
def test_long_rows_draw_what_short_ones_draw(count, monkeypatch):
    users = draws.fingerprint(tf.constant([f"u{number}" for number in range(6)]))
    items = draws.fingerprint(tf.constant([f"i{number}" for number in range(SIZE)]))
    allowed = tf.constant(np.random.default_rng(1).random((6, SIZE)) < 0.5)
    drawn = []
    for long in (1, SIZE + 1):
        monkeypatch.setattr(long_rows, "LONG", long)
        found = draws.draw(users, items, allowed, count=count, seed=-3).numpy()
        assert found.shape == (6, min(count, SIZE))
        drawn.append([sorted(row) for row in found.tolist()])
    assert drawn[0] == drawn[1]


def held_out(targets, seen):
    targets, seen = np.asarray(targets, np.int32), np.asarray(seen, np.int32)
    return HeldOutBatch(
        users=tf.zeros([len(targets)], tf.int64),
        seen=tf.constant(seen),
        targets=tf.constant(targets),
        present=tf.ones(targets.shape, tf.bool),
        given=tf.zeros([len(targets), 0], tf.int32),
        has_given=tf.zeros([len(targets)], tf.bool),
    )


@pytest.mark.parametrize("mask_seen", [True, False])
def test_ranks_in_long_rows_are_those_in_short_ones(mask_seen, monkeypatch):
    made = tf.constant(scores())
    random = np.random.default_rng(2)
    places = np.stack([random.permutation(SIZE)[:40] for _ in range(7)])
    rows = held_out(places[:, :3], places[:, 3:])
    found = []
    for long in (1, SIZE + 1):
        monkeypatch.setattr(long_rows, "LONG", long)
        of_long, others = ranks.TargetRanks(rows, made).ranks(
            ProtocolConfig(mask_seen=mask_seen), None
        )
        found.append([*of_long, others])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_common_ranking_in_order_gives_the_ranks_that_comparing_gives():
    weights = tf.constant([5.0, 0, 3, 3, 9, 0, 3])
    rows = held_out([[2, 4], [5, -1]], [[0, 1], [3, -1]])
    ordered = tf.sort(weights)
    one, _ = ranks.TargetRanks(rows, weights).ranks(ProtocolConfig(), None)
    other, _ = ranks.TargetRanks(rows, weights, ordered).ranks(ProtocolConfig(), None)
    # Item 2 shares the place after 4 with 3 and 6, item 5 that after 4, 0, 2 and 6 with 1;
    # what the catalog lacks comes after the five others and 5.
    assert one.greater.numpy().tolist() == other.greater.numpy().tolist() == [[1, 0], [4, 6]]
    assert one.ties.numpy().tolist() == other.ties.numpy().tolist() == [[2, 0], [1, 0]]


@pytest.mark.parametrize(("count", "widths"), [(0, [0]), (4, [4]), (5, [3, 2]), (9, [3, 3, 3])])
def test_parts_are_of_one_size_where_they_can_be(count, widths):
    found = []

    def part(start, end):
        found.append(int(end - start))
        return [tf.range(start, end)]

    tf.config.run_functions_eagerly(True)
    try:
        (together,) = draws.by_chunks(
            part, tf.constant(count), tf.constant(10), [tf.int32], pairs=40
        )
    finally:
        tf.config.run_functions_eagerly(False)
    assert found == widths
    assert together.numpy().tolist() == list(range(count))
