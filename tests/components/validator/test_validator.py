import json

import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import standard_artifacts
from tfx.types.channel import Channel

from components.validator.component import StrictExampleValidator
from components.validator.config import ValidationConfig
from components.validator.executor import Executor
from components.validator.keys import WARNING_PROPERTY
from schema.errors import UserError


def lists(values, kind):
    return pa.array(values, pa.list_(kind))


def sentence(validate, splits, schema="interactions", config=None):
    with pytest.raises(UserError) as error:
        validate(splits, schema, **({} if config is None else {"config": config}))
    return str(error.value)


@pytest.mark.seconds
def test_sound_examples_pass_and_the_artifact_is_as_stock(validate_examples, sound):
    anomalies = validate_examples(sound)
    assert json.loads(anomalies.split_names) == ["train", "valid", "test"]
    blessed = anomalies.get_json_value_custom_property("blessed")
    assert blessed == {"train": 1, "valid": 1, "test": 1}
    for split in sound:
        with open(f"{anomalies.uri}/Split-{split}/SchemaDiff.pb", "rb") as file:
            found = anomalies_pb2.Anomalies.FromString(file.read())
        assert not found.anomaly_info
        assert not found.data_missing


def test_user_features_may_be_missing_partly_or_wholly(validate, sound):
    for columns in sound.values():
        del columns["age"]
        columns["gender"] = lists([[b"F"], None] * 10, pa.binary())
        columns["zip_code"] = lists([None] * 20, pa.binary())
    validate(sound)


def test_a_missing_required_feature_is_named_with_its_split(validate, sound):
    del sound["train"]["rating"]
    text = sentence(validate, sound)
    assert "split 'train', feature 'rating': Column is completely missing" in text


def test_a_held_out_row_without_its_target_is_an_anomaly(validate, sound):
    sound["test"]["target_item_id"] = lists([[b"c"]] * 19 + [None], pa.binary())
    text = sentence(validate, sound)
    assert "split 'test', feature 'target_item_id'" in text
    assert "0.95" in text


@pytest.mark.seconds
def test_a_held_out_row_may_ask_for_several_targets_but_not_for_none(validate_examples, sound):
    for name, value, kind in (
        ("target_item_id", b"c", pa.binary()),
        ("target_rating", 3.0, pa.float32()),
        ("target_timestamp", 3, pa.int64()),
    ):
        sound["test"][name] = lists([[value], [value] * 40] * 10, kind)
        sound["valid"][name] = lists([[value] * 2] * 19 + [[]], kind)
    text = sentence(validate_examples, sound)
    for name in ("target_item_id", "target_rating", "target_timestamp"):
        assert f"split 'valid', feature '{name}'" in text
    assert "split 'test'" not in text


def test_a_target_in_a_training_row_is_an_anomaly(validate, sound):
    sound["train"] = sound["valid"]
    assert "split 'train', feature 'target_item_id'" in sentence(validate, sound)


def test_a_changed_type_is_named_with_both_types(validate, sound):
    for columns in sound.values():
        columns["rating"] = lists([[b"1", b"5"]] * 20, pa.binary())
    assert "feature 'rating': Expected data of type: FLOAT but got STRING" in sentence(
        validate, sound
    )


@pytest.mark.parametrize("rating", [0.0, 5.5, float("nan")])
def test_a_rating_outside_its_domain_is_an_anomaly(validate, sound, rating):
    sound["train"]["rating"] = lists([[3.0, 4.0]] * 19 + [[3.0, rating]], pa.float32())
    assert "split 'train', feature 'rating'" in sentence(validate, sound)


def test_an_unknown_gender_is_named(validate, sound):
    sound["valid"]["gender"] = lists([[b"F"]] * 10 + [[b"M"]] * 9 + [[b"x"]], pa.binary())
    text = sentence(validate, sound)
    assert "split 'valid', feature 'gender'" in text
    assert "x" in text


def test_an_unknown_occupation_is_none(validate, sound):
    for columns in sound.values():
        columns["occupation"] = lists([[b"lamplighter"]] * 20, pa.binary())
    validate(sound)


@pytest.mark.seconds
def test_an_empty_split_is_named(validate_examples, sound):
    for name in ("valid", "test"):
        sound[name] = {name: column.slice(0, 0) for name, column in sound[name].items()}
    text = sentence(validate_examples, sound)
    assert "split 'valid', it has no examples, expected at least one" in text
    assert "split 'test', it has no examples" in text
    rule = "leave-one-out holds nothing out of users with fewer than three interactions"
    assert text.count(rule) == 1
    assert text.index(rule) < text.index("split 'test'")
    assert "split 'train'" not in text


def test_held_out_users_unlike_the_training_users_are_an_anomaly(validate, sound):
    sound["train"]["gender"] = lists([[b"F"]] * 20, pa.binary())
    sound["test"]["gender"] = lists([[b"M"]] * 20, pa.binary())
    text = sentence(validate, sound, config=ValidationConfig(skew="stop"))
    assert "split 'test', feature 'gender': The Linfty distance" in text
    assert "split 'train'" not in text
    assert "between the splits 'train' and 'test' is 1 " in text
    assert "above the threshold (data.validation.skew_threshold) 0.3" in text
    assert "serving" not in text


def test_unlike_distributions_are_a_warning_unless_told(validate, sound):
    # Half stars in one split, whole stars in the other, as where a site changed its scale.
    for split, stars in (("train", [1.0, 2.0]), ("test", [4.5, 5.0])):
        sound[split]["rating"] = lists([stars] * 20, pa.float32())
    anomalies = validate(sound)
    warning = anomalies.get_string_custom_property(WARNING_PROPERTY)
    assert warning.startswith("The examples do not fit the schema: split 'valid', feature 'rating'")
    assert "between the splits 'train' and 'test' is" in warning


def test_the_threshold_is_a_setting(validate, sound):
    sound["test"]["gender"] = lists([[b"F"]] * 14 + [[b"M"]] * 6, pa.binary())
    text = sentence(validate, sound, config=ValidationConfig(skew="stop", skew_threshold=0.1))
    assert "split 'test', feature 'gender'" in text
    assert "0.1" in text


@pytest.mark.parametrize("threshold", [None, 0.25])
def test_a_distance_below_the_threshold_is_none(validate, sound, threshold):
    # 0.7 and 0.5 of the users are F.
    sound["test"]["gender"] = lists([[b"F"]] * 14 + [[b"M"]] * 6, pa.binary())
    anomalies = validate(sound, config=ValidationConfig(skew="stop", skew_threshold=threshold))
    assert not anomalies.get_string_custom_property(WARNING_PROPERTY)


def test_anomalies_can_be_a_warning(validate, sound):
    warn = ValidationConfig(anomalies="warn")
    sound["train"]["age"] = lists([[900]] * 20, pa.int64())
    warning = validate(sound, config=warn).get_string_custom_property(WARNING_PROPERTY)
    assert "split 'train', feature 'age'" in warning


@pytest.mark.seconds
def test_an_empty_split_stops_where_anomalies_are_a_warning(validate_examples, sound):
    sound["test"] = {name: column.slice(0, 0) for name, column in sound["test"].items()}
    text = sentence(validate_examples, sound, config=ValidationConfig(anomalies="warn"))
    assert "split 'test', it has no examples" in text


def test_many_anomalies_still_make_one_sentence(validate, sound):
    for columns in sound.values():
        columns["rating"] = lists([[9.0, 9.0]] * 20, pa.float32())
        columns["age"] = lists([[900]] * 20, pa.int64())
        columns["gender"] = lists([[b"x"]] * 20, pa.binary())
    text = sentence(validate, sound)
    assert text.count("\n") == 0
    assert text.endswith("; and 4 more.")
    assert ". " not in text


@pytest.mark.parametrize("year", [1874, 19999])
def test_the_catalog_has_rules_of_its_own(validate, year):
    catalog = {
        "item_id": lists([[b"%d" % n] for n in range(12)], pa.binary()),
        "title": lists([[b"A"], None] * 6, pa.binary()),
        "genres": lists([[b"Drama", b"War"], []] * 6, pa.binary()),
        "year": lists([[year], None] * 6, pa.int64()),
    }
    if year == 1874:
        validate({"catalog": catalog}, "catalog")
    else:
        text = sentence(validate, {"catalog": catalog}, "catalog")
        assert "split 'catalog', feature 'year'" in text


def test_the_component_runs_our_executor():
    component = StrictExampleValidator(
        statistics=Channel(type=standard_artifacts.ExampleStatistics),
        schema=Channel(type=standard_artifacts.Schema),
        config=ValidationConfig(),
    )
    assert component.executor_spec.executor_class is Executor
