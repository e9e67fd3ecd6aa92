"""Flat interaction arrays."""

import dataclasses

import numpy as np

from tests.support import planted
from trainer.data.interactions import ABSENT, user_table


def lists(histories):
    return [part.tolist() for part in np.split(histories.positions, histories.splits[1:-1])]


def test_targets_are_appended_to_their_users():
    histories = planted.make_histories([[0, 2], [1], [3]], [[5, 1], [], [4, ABSENT]])
    joined = histories.with_targets()
    assert lists(joined) == [[0, 2, 5, 1], [1], [3, 4]]
    np.testing.assert_array_equal(joined.ratings, planted.rating(joined.positions))
    assert len(joined.targets) == len(joined.target_offsets) == len(joined.target_ratings) == 0
    assert joined.target_splits.tolist() == [0, 0, 0, 0]


def test_targets_go_where_their_time_puts_them():
    histories = planted.make_histories([[0, 2], [1, 3]], [[5, 4, 6], [7]])
    histories = dataclasses.replace(histories, target_offsets=np.asarray([0, 1, 1, 2]))
    joined = histories.with_targets()
    assert lists(joined) == [[5, 0, 4, 6, 2], [1, 3, 7]]
    np.testing.assert_array_equal(joined.ratings, planted.rating(joined.positions))


def test_a_target_without_vocabulary_row_is_known_but_not_trainable():
    histories = planted.make_histories([[0], [1]], [[5], [4]], num_vocabulary=5)
    joined = histories.with_targets()
    assert joined.in_vocabulary.tolist() == [True, False, True, True]


def test_later_histories_replace_the_same_users():
    train = planted.make_histories([[0], [1], [2]])
    later = planted.make_histories([[0, 3], [1], [2, 5]])
    later = dataclasses.replace(
        later, user_id=np.asarray([b"u0", b"u9", b"u2"], object), user_index=np.asarray([0, 9, 2])
    )
    joined = train.followed_by(later)
    assert joined.user_id.tolist() == [b"u1", b"u0", b"u9", b"u2"]
    assert lists(joined) == [[1], [0, 3], [1], [2, 5]]
    assert joined.counts(6).tolist() == [1, 2, 1, 1, 0, 1]


def test_targets_follow_their_users():
    train = planted.make_histories([[0], [1], [2]], [[3], [], [4, 5]])
    later = dataclasses.replace(
        planted.make_histories([[1, 0]], [[2]]), user_id=np.asarray([b"u1"], object)
    )
    joined = train.followed_by(later)
    assert joined.targets.tolist() == [3, 4, 5, 2]
    assert joined.target_splits.tolist() == [0, 1, 3, 4]
    assert joined.target_rows.tolist() == [0, 1, 1, 2]
    assert joined.target_offsets.tolist() == [1, 1, 1, 2]


def test_seen_items_that_are_kept_elsewhere_are_left_out_user_by_user():
    table = user_table(planted.make_histories([[4, 2, 0], [2, 1], [], [3]]), 4, 5)
    left = table.without(np.asarray([0, 4, 1, 2, 7, 5], np.int32), np.asarray([0, 2, 4, 5, 6, 6]))
    assert left.history.tolist() == [2, 3]
    assert left.history_splits.tolist() == [0, 1, 1, 1, 2, 2]
    assert left.context is table.context
    nothing = table.without(np.zeros(0, np.int32), np.zeros(6, np.int64))
    assert nothing.history.tolist() == [4, 2, 0, 2, 1, 3]
    assert nothing.history_splits.tolist() == [0, 3, 5, 5, 6, 6]


def test_the_served_table_is_ordered_by_user_index_and_lacks_unknown_users():
    histories = dataclasses.replace(
        planted.make_histories([[4, 2], [1], [3]]),
        user_index=np.asarray([1, 2, 0], np.int32),
        context=np.asarray([[1, 1, 1], [2, 2, 2], [3, 3, 3]], np.int32),
    )
    table = user_table(histories, num_users=2, num_indices=3)
    assert table.context.tolist() == [[3, 3, 3], [1, 1, 1], [0, 0, 0]]
    assert table.history.tolist() == [3, 4, 2]
    assert table.history_splits.tolist() == [0, 1, 3, 3]
