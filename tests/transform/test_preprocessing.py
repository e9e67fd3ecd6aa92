"""preprocessing_fn, run by TensorFlow Transform on Beam."""

import functools
import os

import apache_beam as beam
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import metadata_io

from schema import curated, features
from schema.errors import UserError
from schema.settings import to_dict
from transform.config import SETTINGS_KEY, TransformConfig
from transform.preprocessing import preprocessing_fn

DIRECT = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]

pytestmark = pytest.mark.seconds


def row(user, items, target=(), gender=(), age=(), occupation=()):
    return {
        features.USER_ID: [user],
        features.ITEM_ID: items,
        features.RATING: [4.0] * len(items),
        features.TIMESTAMP: list(range(len(items))),
        features.GENDER: list(gender),
        features.AGE: list(age),
        features.OCCUPATION: list(occupation),
        features.ZIP_CODE: [],
        features.TARGET_ITEM_ID: list(target),
        features.TARGET_RATING: [3.5] * len(target),
        features.TARGET_TIMESTAMP: list(range(len(target))),
        features.CANDIDATE_ITEM_ID: [],
    }


TRAIN = [
    row(b"ann", [b"x", b"y", b"a b"], (), [b"F"], [24], [b"artist"]),
    row(b"bob", [b"x", b"a b"], (), [b"M"], [25]),
    row(b"cy", [b"x"], (), (), [56]),
]
LATER = [row(b"bob", [b"a b", b"new", b"x", b"other"], [b"y", b"z"], [b"M"], [17], [b"poet"])]

ROWS = {
    "train": TRAIN,
    "tied": [row(user, [b"m", b"z", b"a", b"M", b"9"]) for user in (b"u1", b"u3", b"u2")],
}


@pytest.fixture(scope="module")
def analyze(tmp_path_factory):
    """Runs the analysis of rows once per setting."""

    @functools.cache
    def run(rows="train", **settings):
        folder = tmp_path_factory.mktemp("transform")
        schema = text_format.Parse(curated.read(curated.INTERACTIONS), schema_pb2.Schema())
        config = {SETTINGS_KEY: to_dict(TransformConfig(**settings))}
        function = functools.partial(preprocessing_fn, custom_config=config)
        with (
            beam.Pipeline(argv=DIRECT) as pipeline,
            tft_beam.Context(temp_dir=str(folder / "temp")),
        ):
            created = pipeline | beam.Create(ROWS[rows])
            graph = (created, tft.DatasetMetadata(schema)) | tft_beam.AnalyzeDataset(function)
            _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
        metadata_io.write_metadata(tft.DatasetMetadata(schema), str(folder / "graph/metadata"))
        return tft.TFTransformOutput(str(folder / "graph"))

    return run


def encode(values):
    """A serialized example of one row."""
    example = tf.train.Example()
    for name, value in values.items():
        feature = example.features.feature[name]
        if value and isinstance(value[0], bytes):
            feature.bytes_list.value.extend(value)
        elif value and isinstance(value[0], float):
            feature.float_list.value.extend(value)
        elif value:
            feature.int64_list.value.extend(value)
    return example.SerializeToString()


def apply(output, rows):
    """Transformed features of rows, sparse ones as lists."""
    raw = tf.io.parse_example([encode(values) for values in rows], output.raw_feature_spec())
    transformed = output.transform_features_layer()(raw)
    return {
        name: tf.RaggedTensor.from_sparse(value).to_list()
        if isinstance(value, tf.SparseTensor)
        else value.numpy().tolist()
        for name, value in transformed.items()
    }


def test_vocabularies_are_ordered_by_training_frequency(analyze):
    output = analyze()
    assert output.vocabulary_by_name(features.ITEM_VOCABULARY) == [b"x", b"a b", b"y"]
    assert output.vocabulary_by_name(features.USER_VOCABULARY) == [b"ann", b"bob", b"cy"]


def test_nothing_is_written_but_the_vocabularies_that_are_read(analyze):
    assets = os.path.join(analyze().transform_savedmodel_dir, "assets")
    assert sorted(os.listdir(assets)) == sorted(
        (
            features.USER_VOCABULARY,
            features.ITEM_VOCABULARY,
            features.GENDER_VOCABULARY,
            features.OCCUPATION_VOCABULARY,
        )
    )


def test_ids_of_equal_frequency_go_by_their_bytes_from_the_last(analyze):
    output = analyze("tied")
    assert output.vocabulary_by_name(features.ITEM_VOCABULARY) == [b"z", b"m", b"a", b"M", b"9"]
    assert output.vocabulary_by_name(features.USER_VOCABULARY) == [b"u3", b"u2", b"u1"]


def test_lists_become_indices_in_their_order(analyze):
    result = apply(analyze(), TRAIN)
    assert result[features.ITEM_INDEX] == [[0, 2, 1], [0, 1], [0]]
    assert result[features.UNKNOWN_ITEM_ID] == [[], [], []]
    assert result[features.USER_INDEX] == [[0], [1], [2]]
    assert result[features.USER_ID] == [[b"ann"], [b"bob"], [b"cy"]]
    assert result[features.RATING] == [[4.0] * 3, [4.0] * 2, [4.0]]


def test_items_without_row_share_the_bucket_and_keep_their_raw_ids(analyze):
    result = apply(analyze(), LATER)
    assert result[features.ITEM_INDEX] == [[1, 3, 0, 3]]
    assert result[features.UNKNOWN_ITEM_ID] == [[b"new", b"other"]]


def test_targets_stay_lists_and_are_empty_in_training(analyze):
    held_out, train = apply(analyze(), LATER), apply(analyze(), TRAIN)
    assert held_out[features.TARGET_ITEM_ID] == [[b"y", b"z"]]
    assert held_out[features.TARGET_RATING] == [[3.5, 3.5]]
    assert held_out[features.TARGET_TIMESTAMP] == [[0, 1]]
    assert held_out[features.TIMESTAMP] == [[0, 1, 2, 3]]
    assert train[features.TARGET_ITEM_ID] == [[], [], []]


def test_context_is_zero_where_unknown(analyze):
    first = apply(analyze(), TRAIN)
    gender = [row[0] for row in first[features.GENDER_INDEX]]
    assert sorted(gender[:2]) == [1, 2]
    assert gender[2] == 0
    assert first[features.OCCUPATION_INDEX] == [[1], [0], [0]]
    assert apply(analyze(), LATER)[features.OCCUPATION_INDEX] == [[0]]


def test_ages_fall_into_their_groups(analyze):
    ages = [(), 0, 17, 18, 24, 25, 34, 35, 44, 45, 49, 50, 55, 56, 99]
    rows = [row(b"u", [b"x"], age=[age] if age != () else ()) for age in ages]
    result = apply(analyze(), rows)
    index = [value[0] for value in result[features.AGE_INDEX]]
    assert index == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    assert [value[0] for value in result[features.AGE]] == [0, *ages[1:]]


def test_minimum_frequency_and_buckets_are_settings(analyze):
    output = analyze(
        min_item_frequency=2, min_user_frequency=3, item_oov_buckets=4, user_oov_buckets=2
    )
    assert output.vocabulary_by_name(features.ITEM_VOCABULARY) == [b"x", b"a b"]
    assert output.vocabulary_by_name(features.USER_VOCABULARY) == [b"ann"]
    result = apply(output, TRAIN)
    bucket = result[features.ITEM_INDEX][0][1]
    assert bucket == 2 + int(tf.strings.to_hash_bucket_fast(b"y", 4))
    assert result[features.UNKNOWN_ITEM_ID] == [[b"y"], [], []]
    assert {row[0] for row in result[features.USER_INDEX]} <= {0, 1, 2}


def test_an_unknown_setting_is_named():
    with pytest.raises(UserError, match=r"transform.min_items.*transform.min_item_frequency"):
        preprocessing_fn({}, {SETTINGS_KEY: {"min_items": 2}})
