"""Batches."""

import numpy as np
import pytest
import tensorflow as tf

from schema import features
from schema.errors import UserError
from tests.support import planted
from trainer.data.batches import HISTORY, NEGATIVES, POSITIVE, ROW, TrainingData, newest
from trainer.data.interactions import ABSENT
from trainer.data.negative_sampling import SAMPLERS

LISTS = [[0, 2, 3], [5], [4, 1, 0, 3]]


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
    histories = planted.make_histories(LISTS, num_vocabulary=5)
    data = TrainingData(histories, 6, 1, seed=1)
    assert data.size == 7
    assert (1, 5) not in pairs(data, 1, 7)


def test_a_user_who_has_seen_everything_is_an_error_where_negatives_are_sampled():
    full = planted.make_histories([[0, 1], [1]])
    with pytest.raises(UserError, match="1 users have interacted with all 2 items"):
        TrainingData(full, 2, 1, seed=1)
    assert TrainingData(full, 2, 0, seed=1).size == 3


def test_a_batch_brings_the_newest_other_items_of_the_history():
    data = TrainingData(planted.make_histories(LISTS), 6, 0, seed=1, history_limit=3)
    batch = next(iter(data.epoch(1, 8)))
    expected = {
        (0, 0): [ABSENT, 2, 3],
        (0, 2): [0, ABSENT, 3],
        (0, 3): [0, 2, ABSENT],
        (1, 5): [ABSENT, ABSENT, ABSENT],
        (2, 4): [1, 0, 3],
        (2, 1): [ABSENT, 0, 3],
        (2, 0): [1, ABSENT, 3],
        (2, 3): [1, 0, ABSENT],
    }
    users, positives = batch[features.USER_INDEX].numpy(), batch[POSITIVE].numpy()
    for user, positive, history in zip(users, positives, batch[HISTORY].numpy(), strict=True):
        assert history.tolist() == expected[user, positive]


def test_a_batch_tells_users_apart_that_share_a_bucket():
    shared = np.asarray([0, 7, 7], np.int32)
    data = TrainingData(planted.make_histories(LISTS, user_index=shared), 6, 0, seed=1)
    batch = next(iter(data.epoch(1, 8)))
    rows = batch[ROW].numpy()
    np.testing.assert_array_equal(batch[features.USER_INDEX], shared[rows])
    for row, positive in zip(rows, batch[POSITIVE].numpy(), strict=True):
        assert positive in LISTS[row]


def test_an_epoch_by_users_takes_all_positives_of_each_at_once():
    data = TrainingData(planted.make_histories(LISTS), 6, 0, seed=1, by_user=True)
    orders = []
    for epoch in range(1, 6):
        rows = np.concatenate([batch[ROW] for batch in data.epoch(epoch, 4)])
        orders.append(tuple(rows[np.append(True, rows[1:] != rows[:-1])].tolist()))
        assert np.bincount(rows).tolist() == [3, 1, 4]
        assert len(orders[-1]) == 3
        assert sorted(pairs(data, epoch, 4)) == sorted(
            (user, item) for user, items in enumerate(LISTS) for item in items
        )
    assert len(set(orders)) > 1


def test_the_newest_items_are_the_last_ones():
    histories = tf.ragged.constant([[0, 2, 3, 1], [], [5]], dtype=tf.int32)
    assert newest(histories, 2).numpy().tolist() == [[3, 1], [ABSENT, ABSENT], [5, ABSENT]]


def test_ratings_stay_with_their_interactions():
    histories = planted.make_histories(LISTS, num_vocabulary=5)
    data = TrainingData(histories, 6, 0, seed=1, ratings=True)
    for batch in data.epoch(1, 7):
        np.testing.assert_array_equal(batch[features.RATING], planted.rating(batch[POSITIVE]))
    assert features.RATING not in next(iter(TrainingData(histories, 6, 0, seed=1).epoch(1, 7)))


@pytest.mark.parametrize("sampler", ["unconsumed", "random", "popular"])
def test_the_parts_of_a_batch_make_up_the_whole(sampler):
    histories = planted.make_histories([range(0, 9), range(3, 12), [1], range(2, 11)])
    drawing = SAMPLERS[sampler](histories, 12, 0.5)
    data = TrainingData(histories, 12, 3, 1, drawing, history_limit=2, ratings=True)
    whole = list(data.epoch(2, 8))
    assert len(whole) == 4
    # Two input pipelines, of three replicas and of one.
    first, last = list(data.epoch(2, 8, (0, 1, 2), 4)), list(data.epoch(2, 8, (3,), 4))
    for step, batch in enumerate(whole):
        parts = [*first[3 * step : 3 * step + 3], last[step]]
        for name, values in batch.items():
            joined = np.concatenate([part[name] for part in parts])
            np.testing.assert_array_equal(joined, values, err_msg=name)
    drawn = [part[NEGATIVES].numpy().tobytes() for part in (*first, *last)]
    assert len(set(drawn)) == len(drawn)


def test_a_copy_of_the_tensors_gives_the_same_batch():
    data = TrainingData(planted.make_histories(LISTS), 6, 2, seed=1, history_limit=2)
    copy = tf.nest.map_structure(tf.identity, data.tensors)
    chosen, seed = tf.constant([1, 4, 5], tf.int64), tf.constant([3, 1], tf.int64)
    own, other = data.batch(chosen, seed), data.batch(chosen, seed, tensors=copy)
    for name, values in own.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)
