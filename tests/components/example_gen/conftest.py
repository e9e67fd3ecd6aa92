"""Runs the generators for real, on Beam's in-memory runner."""

import apache_beam as beam
import pyarrow as pa
import pytest
import tensorflow as tf
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from components.example_gen import sort_and_dedupe

# Given as arguments, they would make TFX package itself for workers, every time.
BEAM_ARGS = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]


@pytest.fixture
def run_generator(tmp_path_factory):
    """Runs a generator component's executor; attributes of the executor may be set."""

    def run(component, argv=BEAM_ARGS, in_container=False, **attributes):
        made = {"make_beam_pipeline_fn": lambda: beam.Pipeline(argv=argv)}
        context = BaseBeamExecutor.Context(
            **({"beam_pipeline_args": argv} if in_container else made),
            tmp_dir=str(tmp_path_factory.mktemp("temporary")),
            unique_id="1",
        )
        executor = component.executor_spec.executor_class(context)
        for name, value in attributes.items():
            setattr(executor, name, value)
        artifact = standard_artifacts.Examples()
        artifact.uri = str(tmp_path_factory.mktemp("examples"))
        executor.Do({}, {"examples": [artifact]}, dict(component.exec_properties))
        return artifact

    return run


@pytest.fixture
def records():
    """Reads a split's serialized examples in file order."""

    def read(artifact, split):
        files = sorted(tf.io.gfile.glob(f"{artifact.uri}/Split-{split}/*"))
        return [record.numpy() for record in tf.data.TFRecordDataset(files, "GZIP")]

    return read


@pytest.fixture
def rows(records):
    """Reads a split as dicts of plain lists; text is decoded."""

    def read(artifact, split):
        return [_plain(record) for record in records(artifact, split)]

    return read


@pytest.fixture
def interactions():
    """Builds a flagged interactions table from (user, item, rating, timestamp) tuples."""

    def build(kept, held_out=()):
        return pa.concat_tables(
            sort_and_dedupe.flag_held_out(_table(part), mark)
            for part, mark in ((list(kept), False), (list(held_out), True))
        )

    return build


def _table(tuples):
    users, items, ratings, timestamps = zip(*tuples, strict=True) if tuples else ((), (), (), ())
    return pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "item_id": pa.array(items, pa.string()),
            "rating": pa.array(ratings, pa.float32()),
            "timestamp": pa.array(timestamps, pa.int64()),
        }
    )


def _plain(record):
    example = tf.train.Example.FromString(record)
    plain = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        values = list(getattr(feature, kind).value) if kind else []
        plain[name] = [v.decode() if isinstance(v, bytes) else v for v in values]
    return plain
