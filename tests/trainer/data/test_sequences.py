import itertools

import numpy as np
import pytest

from tests.support import planted
from trainer.config.sequence import SequenceConfig
from trainer.data.batches import HISTORY, POSITIVE, ROW
from trainer.data.interactions import ABSENT
from trainer.data.sequences import TARGETS, SequenceData

ITEMS = 100


def make_data(lengths, limit=10, num_vocabulary=ITEMS, seed=0, **settings):
    """Histories of the given lengths, each of different items, in a random order."""
    random = np.random.default_rng(1)
    lists = [random.permutation(ITEMS)[:length] for length in lengths]
    histories = planted.make_histories(lists, num_vocabulary=num_vocabulary)
    return lists, SequenceData(histories, limit, SequenceConfig(**settings), seed)


def rows_of(data, epoch=1, batch_size=4):
    """Row, items read and items to predict of each history of an epoch, without padding."""
    for batch in data.epoch(epoch, batch_size).as_numpy_iterator():
        for row, read, following in zip(batch[ROW], batch[HISTORY], batch[POSITIVE], strict=True):
            yield row, read[read != ABSENT].tolist(), following[read != ABSENT].tolist()


def test_every_position_predicts_the_interaction_behind_it_and_sees_none_that_is_later():
    lists, data = make_data([2, 5, 9, 11, 30])
    for epoch in range(1, 6):
        for row, read, following in rows_of(data, epoch):
            history = lists[row].tolist()
            start = history.index(read[0])
            assert read == history[start : start + len(read)]
            assert following == history[start + 1 : start + 1 + len(read)]


def test_a_history_that_fits_is_read_whole_and_one_with_a_single_interaction_not():
    lists, data = make_data([1, 2, 7, 11])
    assert (data.size, data.examples) == (3, 1 + 6 + 10)
    read = {row: items for row, items, _ in rows_of(data)}
    assert read == {row: lists[row].tolist()[:-1] for row in (1, 2, 3)}


def test_padding_stands_behind_the_history():
    _, data = make_data([4])
    (batch,) = data.epoch(1, 1).as_numpy_iterator()
    assert batch[HISTORY].shape == (1, 8)
    assert (batch[HISTORY][0, 3:] == ABSENT).all()
    assert (batch[POSITIVE][0, 3:] == ABSENT).all()
    assert batch[TARGETS] == 3


def test_windows_of_long_histories_are_drawn_anew_in_each_epoch():
    lists, data = make_data([14])
    starts = {lists[0].tolist().index(next(rows_of(data, n, 1))[1][0]) for n in range(30)}
    # The last window begins with the fourth: it reads 10 items and predicts the last, the 14th.
    assert starts == set(range(4))


def test_the_newest_windows_end_with_the_history():
    lists, data = make_data([40], windows="newest")
    for epoch in range(5):
        _, read, following = next(rows_of(data, epoch, 1))
        assert read == lists[0].tolist()[29:39]
        assert following == lists[0].tolist()[30:]


def test_items_without_a_vocabulary_row_are_read_and_not_predicted():
    lists, data = make_data([9], num_vocabulary=50)
    _, read, following = next(rows_of(data, 1, 1))
    assert read == lists[0].tolist()[:-1]
    assert following == [item if item < 50 else ABSENT for item in lists[0].tolist()[1:]]


def test_each_epoch_takes_every_history_in_an_order_of_its_own():
    _, data = make_data([*range(2, 12)] * 4, length_buckets=3)
    first, second = ([row for row, *_ in rows_of(data, n)] for n in (1, 2))
    assert set(first) == set(second) == set(range(40))
    assert first != second
    again = make_data([*range(2, 12)] * 4, length_buckets=3)[1]
    assert [*rows_of(again, 2)] == [*rows_of(data, 2)]


@pytest.mark.parametrize("buckets", [1, 2, 3, 5])
def test_lengths_leave_the_least_padding(buckets):
    lengths = np.random.default_rng(3).integers(2, 70, 50)
    _, data = make_data(lengths, limit=60, length_buckets=buckets)

    def computed(chosen):
        counts, shorter, total = np.minimum(lengths - 1, 60), 0, 0
        for length in chosen:
            inside = int(((counts > shorter) & (counts <= length)).sum())
            total += -(-inside // 4) * 4 * length
            shorter = length
        return total

    others = [
        [*chosen, 60]
        for count in range(buckets)
        for chosen in itertools.combinations(range(8, 64, 8), count)
    ]
    assert computed(data.lengths(4)) == min(map(computed, others))
    batches = [*data.epoch(1, 4).as_numpy_iterator()]
    assert len(batches) == data.steps(4)
    assert sum(batch[HISTORY].size for batch in batches) == computed(data.lengths(4))


def test_the_parts_of_a_batch_make_up_the_whole():
    _, data = make_data([*range(2, 12)] * 4, length_buckets=2)
    whole = [*data.epoch(1, 8).as_numpy_iterator()]
    parts = [*data.epoch(1, 8, (0, 1), 2).as_numpy_iterator()]
    assert len(parts) == 2 * len(whole)
    for batch, *halves in zip(whole, parts[::2], parts[1::2], strict=True):
        for name in (ROW, HISTORY, POSITIVE):
            np.testing.assert_array_equal(
                np.concatenate([half[name] for half in halves]), batch[name]
            )
        assert batch[TARGETS] == (batch[POSITIVE] != ABSENT).sum()
        assert [half[TARGETS] for half in halves] == [batch[TARGETS] / 2] * 2
