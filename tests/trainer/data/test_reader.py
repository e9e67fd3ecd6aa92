"""A split read from files of transformed examples."""

import pytest
import tensorflow as tf

from schema import features
from schema.errors import UserError
from tests.support import planted
from trainer.data.interactions import ABSENT
from trainer.data.reader import read_histories


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


def row(user, index, items, unknown=(), targets=(), times=None, target_times=()):
    return {
        features.USER_ID: [user],
        features.USER_INDEX: [index],
        **{name: [1] for name in features.USER_CONTEXT_INDICES},
        features.AGE: [30],
        features.ITEM_INDEX: items,
        features.UNKNOWN_ITEM_ID: list(unknown),
        features.RATING: [float(item) for item in items],
        features.TIMESTAMP: list(range(len(items))) if times is None else times,
        features.TARGET_ITEM_ID: list(targets),
        features.TARGET_RATING: [4.5 - n for n in range(len(targets))],
        features.TARGET_TIMESTAMP: list(target_times or range(50, 50 + len(targets))),
    }


def test_read_back_as_written_with_unknown_items_found_by_raw_id(tmp_path):
    # Item i5 has no vocabulary row: it shares the out-of-vocabulary index 5.
    catalog = planted.make_catalog(6, unknown=1)
    rows = [
        row(b"a", 0, [3, 5, 1], [b"i5"], [b"i2", b"elsewhere", b"i0"]),
        row(b"b", 1, [0]),
        row(b"c", 2, [0, 1], (), [b"i5"]),
    ]
    write(tmp_path / "rows.gz", rows)
    read = read_histories([str(tmp_path / "rows.gz")], catalog)
    assert read.positions.tolist() == [3, 5, 1, 0, 0, 1]
    assert read.splits.tolist() == [0, 3, 4, 6]
    assert read.in_vocabulary.tolist() == [True, False, True, True, True, True]
    assert read.rows.tolist() == [0, 0, 0, 1, 2, 2]
    assert read.ratings.tolist() == [3.0, 5.0, 1.0, 0.0, 0.0, 1.0]
    assert read.targets.tolist() == [2, ABSENT, 0, 5]
    assert read.target_splits.tolist() == [0, 3, 3, 4]
    assert read.target_rows.tolist() == [0, 0, 0, 2]
    assert read.target_ratings.tolist() == [4.5, 3.5, 2.5, 4.5]
    assert read.target_offsets.tolist() == [3, 3, 3, 2]


def test_a_target_is_placed_after_what_is_not_newer(tmp_path):
    rows = [
        row(b"a", 0, [0], (), [b"i1"], times=[9], target_times=[3]),
        row(
            b"b",
            1,
            [0, 1, 2, 3],
            (),
            [b"i4", b"i5", b"i4", b"i5"],
            times=[2, 5, 5, 8],
            target_times=[1, 5, 6, 8],
        ),
    ]
    write(tmp_path / "rows.gz", rows)
    read = read_histories([str(tmp_path / "rows.gz")], planted.make_catalog(6))
    assert read.target_offsets.tolist() == [0, 0, 3, 3, 4]


def test_items_that_the_catalog_lacks_are_an_error(tmp_path):
    catalog = planted.make_catalog(6)
    write(tmp_path / "rows.gz", [row(b"a", 0, [6], [b"foreign"])])
    with pytest.raises(UserError, match="1 interactions have items that the catalog lacks"):
        read_histories([str(tmp_path / "rows.gz")], catalog)


def test_no_rows_are_an_error(tmp_path):
    write(tmp_path / "rows.gz", [])
    with pytest.raises(UserError, match="No users"):
        read_histories([str(tmp_path / "rows.gz")], planted.make_catalog(2))
