import numpy as np
import pyarrow as pa
import tensorflow as tf

from components.example_gen.io import encoding


def columns(rows):
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 300, rows)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    total = int(offsets[-1])
    return {
        "rating": pa.ListArray.from_arrays(offsets, pa.array(rng.random(total, np.float32))),
        "item_id": pa.ListArray.from_arrays(
            offsets, pa.array([b"%d" % n for n in range(total)], pa.binary())
        ),
        "timestamp": pa.ListArray.from_arrays(offsets, pa.array(np.arange(total))),
    }


def test_messages_hold_what_the_columns_hold():
    given = columns(50)
    rows = pa.table(given).to_pylist()
    for record, row in zip(encoding.encode(given), rows, strict=True):
        feature = tf.train.Example.FromString(record).features.feature
        assert list(feature["item_id"].bytes_list.value) == row["item_id"]
        assert list(feature["timestamp"].int64_list.value) == row["timestamp"]
        assert list(feature["rating"].float_list.value) == row["rating"]


def test_messages_are_the_same_bytes_every_time():
    assert encoding.encode(columns(50)) == encoding.encode(columns(50))


def test_tensorflows_fast_parser_reads_them():
    given = columns(5)
    parsed = tf.io.parse_example(
        encoding.encode(given), {name: tf.io.RaggedFeature(tf.string) for name in ["item_id"]}
    )
    assert parsed["item_id"].to_list() == given["item_id"].to_pylist()


def test_a_null_list_is_a_feature_without_a_value():
    (record,) = encoding.encode({"age": pa.array([None], pa.list_(pa.int64()))})
    feature = tf.train.Example.FromString(record).features.feature
    assert list(feature) == ["age"]
    assert feature["age"].WhichOneof("kind") is None


def test_no_rows_give_no_messages():
    assert encoding.encode(columns(0)) == []
