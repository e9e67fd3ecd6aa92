import hashlib
import pathlib

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

import schema as package
from schema import curated, features
from schema.errors import UserError


def parsed(name):
    return text_format.Parse(curated.read(name), schema_pb2.Schema())


def types(name):
    return {
        feature.name: schema_pb2.FeatureType.Name(feature.type) for feature in parsed(name).feature
    }


def test_interactions_name_every_raw_feature_with_its_type():
    assert types("interactions") == {
        features.USER_ID: "BYTES",
        features.ITEM_ID: "BYTES",
        features.RATING: "FLOAT",
        features.TIMESTAMP: "INT",
        features.GENDER: "BYTES",
        features.AGE: "INT",
        features.OCCUPATION: "BYTES",
        features.ZIP_CODE: "BYTES",
        features.TARGET_ITEM_ID: "BYTES",
        features.TARGET_RATING: "FLOAT",
        features.TARGET_TIMESTAMP: "INT",
        features.CANDIDATE_ITEM_ID: "BYTES",
    }


def test_the_catalog_names_every_raw_feature_with_its_type():
    assert types("catalog") == {
        features.ITEM_ID: "BYTES",
        features.TITLE: "BYTES",
        features.GENRES: "BYTES",
        features.YEAR: "INT",
    }


def test_environments_are_the_splits():
    assert tuple(parsed("interactions").default_environment) == features.INTERACTION_SPLITS
    assert tuple(parsed("catalog").default_environment) == (features.CATALOG,)


@pytest.mark.parametrize(("name", "key"), [("interactions", "user_id"), ("catalog", "item_id")])
def test_only_the_key_is_parsed_dense(name, key):
    # Everything else may have any number of values, or none in some split.
    spec = schema_utils.schema_as_feature_spec(parsed(name)).feature_spec
    assert spec.pop(key) == tf.io.FixedLenFeature([1], tf.string)
    assert all(isinstance(feature, tf.io.VarLenFeature) for feature in spec.values())


def test_gender_is_closed_and_occupation_open():
    by_name = {feature.name: feature for feature in parsed("interactions").feature}
    domains = {domain.name: list(domain.value) for domain in parsed("interactions").string_domain}
    assert domains[by_name["gender"].domain] == ["F", "M"]
    assert not by_name["occupation"].HasField("domain")


@pytest.mark.parametrize("name", curated.NAMES)
def test_a_digest_is_that_of_the_packaged_file(name):
    (folder,) = package.__path__
    raw = (pathlib.Path(folder) / f"{name}.pbtxt").read_bytes()
    assert curated.digest(name) == hashlib.sha256(raw).hexdigest()


def test_an_unknown_schema_is_refused():
    with pytest.raises(UserError, match="expected one of interactions, catalog, got 'users'"):
        curated.read("users")
