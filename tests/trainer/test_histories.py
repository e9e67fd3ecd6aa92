"""Flat interaction arrays."""

import dataclasses

import numpy as np
import planted
import pytest
import tensorflow as tf

from schema import features
from schema.errors import UserError
from trainer.histories import ABSENT, read_histories, user_table


def lists(histories):
    return [part.tolist() for part in np.split(histories.positions, histories.splits[1:-1])]


def test_targets_are_appended_to_their_users():
    histories = planted.make_histories([[0, 2], [1], [3]], [5, ABSENT, 4])
    joined = histories.with_targets(planted.make_catalog(6))
    assert lists(joined) == [[0, 2, 5], [1], [3, 4]]
    assert (joined.target == ABSENT).all()


def test_a_target_without_vocabulary_row_is_known_but_not_trainable():
    catalog = planted.make_catalog(6)
    index = catalog.item_index.copy()
    index[5] = 5
    catalog = dataclasses.replace(catalog, item_index=index, num_vocabulary=5)
    joined = planted.make_histories([[0], [1]], [5, 4]).with_targets(catalog)
    assert joined.trainable.tolist() == [True, False, True, True]


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


def test_rows_of_one_user_become_one_with_every_target_known():
    catalog = planted.make_catalog(9)
    rows = planted.make_histories([[7, 2], [1], [7, 2], [3], [7, 2]], [5, 4, 0, ABSENT, 8])
    rows = dataclasses.replace(
        rows, user_id=np.asarray([b"u5", b"u1", b"u5", b"u3", b"u5"], object)
    )
    joined = rows.with_targets(catalog).by_user()
    assert joined.user_id.tolist() == [b"u5", b"u1", b"u3"]
    assert joined.user_index.tolist() == [0, 1, 3]
    assert lists(joined) == [[7, 2, 5, 0, 8], [1, 4], [3]]
    np.testing.assert_array_equal(joined.ratings, planted.rating(joined.positions))
    assert joined.by_user() is joined


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


def write(path, rows):
    def feature(value):
        if isinstance(value[0], int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=value))
        if isinstance(value[0], float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=value))
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=value))

    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for row in rows:
            filled = {name: feature(value) for name, value in row.items() if value}
            example = tf.train.Example(features=tf.train.Features(feature=filled))
            writer.write(example.SerializeToString())


def row(user, index, items, unknown=(), target=(), target_rating=()):
    return {
        features.USER_ID: [user],
        features.USER_INDEX: [index],
        **{name: [1] for name in features.USER_CONTEXT_INDICES},
        features.AGE: [30],
        features.ITEM_INDEX: items,
        features.UNKNOWN_ITEM_ID: list(unknown),
        features.TARGET_ITEM_ID: list(target),
        features.TARGET_RATING: list(target_rating),
        features.RATING: [float(item) for item in items],
    }


def test_read_back_as_written_with_unknown_items_found_by_raw_id(tmp_path):
    # Item i5 has no vocabulary row: it shares the out-of-vocabulary index 5.
    catalog = planted.make_catalog(6)
    catalog = dataclasses.replace(catalog, num_vocabulary=5, num_indices=6)
    rows = [row(b"a", 0, [3, 5, 1], [b"i5"], [b"i2"], [4.5]), row(b"b", 1, [0], (), [b"elsewhere"])]
    write(tmp_path / "rows.gz", rows)
    read = read_histories([str(tmp_path / "rows.gz")], catalog)
    assert lists(read) == [[3, 5, 1], [0]]
    assert read.trainable.tolist() == [True, False, True, True]
    assert read.target.tolist() == [2, ABSENT]
    assert read.rows.tolist() == [0, 0, 0, 1]
    assert read.ratings.tolist() == [3.0, 5.0, 1.0, 0.0]
    np.testing.assert_array_equal(read.target_rating, np.asarray([4.5, np.nan], np.float32))


def test_items_that_the_catalog_lacks_are_an_error(tmp_path):
    catalog = planted.make_catalog(6)
    write(tmp_path / "rows.gz", [row(b"a", 0, [6], [b"foreign"])])
    with pytest.raises(UserError, match="1 interactions have items that the catalog lacks"):
        read_histories([str(tmp_path / "rows.gz")], catalog)


def test_no_rows_are_an_error(tmp_path):
    write(tmp_path / "rows.gz", [])
    with pytest.raises(UserError, match="No users"):
        read_histories([str(tmp_path / "rows.gz")], planted.make_catalog(2))
