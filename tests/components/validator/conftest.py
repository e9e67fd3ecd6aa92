"""Examples with a chosen defect, through the real validator."""

import json
import os

import apache_beam as beam
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tfx.components.statistics_gen.executor import Executor as StatisticsExecutor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from components.example_gen.io import encoding, writing
from components.schema_gen import CuratedSchema
from components.validator.config import ValidationConfig
from components.validator.executor import Executor
from components.validator.keys import SETTINGS_KEY
from schema import curated, settings

USUAL = ValidationConfig()

# Given as arguments, they would make TFX package itself for workers, every time.
BEAM_ARGS = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]


@pytest.fixture
def sound():
    """Columns of three sound splits of 20 users; tests spoil what they like."""

    def repeat(value, kind):
        return pa.array([value] * 20, pa.list_(kind))

    def history(target):
        columns = {
            "user_id": pa.array([[b"%d" % n] for n in range(20)], pa.list_(pa.binary())),
            "item_id": repeat([b"a", b"b"], pa.binary()),
            "rating": repeat([0.5, 5.0], pa.float32()),
            "timestamp": repeat([1, 2], pa.int64()),
            "gender": pa.array([[b"F"], [b"M"]] * 10, pa.list_(pa.binary())),
            "age": repeat([18], pa.int64()),
        }
        if target:
            columns["target_item_id"] = repeat([b"c"], pa.binary())
            columns["target_rating"] = repeat([3.0], pa.float32())
            columns["target_timestamp"] = repeat([3], pa.int64())
        return columns

    return {"train": history(False), "valid": history(True), "test": history(True)}


@pytest.fixture
def write_schema(tmp_path):
    """Runs CuratedSchema's executor."""

    def write(name="interactions"):
        component = CuratedSchema(name=name, digest=curated.digest(name))
        artifact = standard_artifacts.Schema()
        artifact.uri = str(tmp_path / "schema")
        executor = component.executor_spec.executor_class()
        executor.Do({}, {"schema": [artifact]}, dict(component.exec_properties))
        return artifact

    return write


@pytest.fixture
def validate(tmp_path, write_schema):
    """Runs the validator on the statistics of splits given as columns."""

    def run(splits, schema="interactions", config=USUAL):
        statistics = _statistics(tmp_path, splits)
        for name, columns in splits.items():
            rows = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
            found = stats_impl.generate_statistics_in_memory(rows, tfdv.StatsOptions())
            os.makedirs(f"{statistics.uri}/Split-{name}")
            with open(f"{statistics.uri}/Split-{name}/FeatureStats.pb", "wb") as file:
                file.write(found.SerializeToString())
        return _run_validator(tmp_path, statistics, write_schema(schema), config)

    return run


@pytest.fixture
def validate_examples(tmp_path, write_schema):
    """The same through files of examples and StatisticsGen's executor."""

    def run(splits, schema="interactions", config=USUAL):
        examples = standard_artifacts.Examples()
        examples.uri = str(tmp_path / "examples")
        examples.split_names = json.dumps(list(splits))
        for name, columns in splits.items():
            shard = writing.Shard(0, 1, encoding.encode(columns))
            writing.write_shard(shard, f"{examples.uri}/Split-{name}")
        statistics = _statistics(tmp_path, splits)
        context = BaseBeamExecutor.Context(
            make_beam_pipeline_fn=lambda: beam.Pipeline(argv=BEAM_ARGS),
            tmp_dir=str(tmp_path),
            unique_id="1",
        )
        StatisticsExecutor(context).Do({"examples": [examples]}, {"statistics": [statistics]}, {})
        return _run_validator(tmp_path, statistics, write_schema(schema), config)

    return run


def _statistics(folder, splits):
    artifact = standard_artifacts.ExampleStatistics()
    artifact.uri = str(folder / "statistics")
    artifact.split_names = json.dumps(list(splits))
    return artifact


def _run_validator(folder, statistics, schema, config=USUAL):
    anomalies = standard_artifacts.ExampleAnomalies()
    anomalies.uri = str(folder / "anomalies")
    Executor().Do(
        {"statistics": [statistics], "schema": [schema]},
        {"anomalies": [anomalies]},
        {"exclude_splits": "[]", SETTINGS_KEY: json.dumps(settings.to_dict(config))},
    )
    return anomalies
