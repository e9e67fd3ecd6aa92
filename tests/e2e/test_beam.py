"""The whole pipeline with Beam's work done elsewhere gives what it gives in memory."""

import collections
import json
import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import statistics_pb2

from tests.support import beam_workers, synthetic

ROOT = pathlib.Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.e2e, pytest.mark.cluster]


class Run:
    """An output folder that local_runner wrote to."""

    def __init__(self, output, data):
        self.output = output
        self._data = data

    def command(self, *arguments):
        """Runs it from a folder that has none of our code; Beam's processes begin there too."""
        settings = ("trainer.model=popularity", "gate.must_beat_popularity=false")
        return subprocess.run(
            [
                *(sys.executable, str(ROOT / "local_runner.py"), f"--data={self._data}"),
                *(f"--output={self.output}", *arguments),
                *(a for setting in settings for a in ("--set", setting)),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._data,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )

    def pushed(self, *arguments):
        result = self.command(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return self

    def summary(self):
        return json.loads((self.output / "summary.json").read_text())

    def files(self, pattern):
        """Files of artifacts by path, without the numbers of executions."""
        root = self.output / "artifacts"
        found = {}
        for path in root.glob(pattern):
            parts = path.relative_to(root).parts
            found["/".join((*parts[:2], *parts[3:]))] = path
        assert found, pattern
        return found


def _content(run, pattern):
    return {name: path.read_bytes() for name, path in run.files(pattern).items()}


def _examples(run):
    """Transformed examples of each split as a multiset; how many files there are is Beam's."""
    splits = collections.defaultdict(collections.Counter)
    for name, path in run.files("Transform/transformed_examples/*/*/*.gz").items():
        for record in tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            row = tuple(sorted((name, str(value)) for name, value in features.items()))
            splits[name.split("/")[2]][row] += 1
    return splits


def _statistics(run):
    found = {}
    for name, path in run.files("*Statistics/statistics/*/*/FeatureStats.pb").items():
        (dataset,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(
            path.read_bytes()
        ).datasets
        by_feature = {str(feature.path.step): feature for feature in dataset.features}
        found[name] = (dataset.num_examples, by_feature)
    return found


def _assert_same(run, expected):
    for pattern in (
        "*ExampleGen/examples/*/*/*",
        "*Validator/anomalies/*/*/*",
        "Transform/transform_graph/*/transform_fn/assets/*",
        "Transform/transform_graph/*/transformed_metadata/*",
    ):
        assert _content(run, pattern) == _content(expected, pattern)
    assert _statistics(run) == _statistics(expected)
    assert _examples(run) == _examples(expected)
    assert sum(_examples(run)["Split-train"].values()) == 60
    ours, theirs = run.summary(), expected.summary()
    assert ours["data"] == theirs["data"]
    assert ours["metrics"] == theirs["metrics"]
    assert ours["gate"]["rules"] == theirs["gate"]["rules"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return synthetic.write(tmp_path_factory.mktemp("raw"), "ml-100k", users=60, items=40).folder


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory, data):
    return Run(tmp_path_factory.mktemp("memory"), data).pushed()


def _of(options):
    return [f"--beam-option={option}" for option in options]


def test_two_processes_give_the_same_and_their_results_are_reused_in_memory(
    in_memory, data, tmp_path
):
    run = Run(tmp_path / "out", data).pushed(*_of(beam_workers.PROCESSES))
    _assert_same(run, in_memory)
    (log,) = (run.output / "logs").iterdir()
    assert "sdk_worker_main" in log.read_text()
    run.pushed()
    assert all(component["cached"] for component in run.summary()["components"])


def test_a_portable_runner_with_workers_of_the_sdist_gives_the_same(in_memory, data, tmp_path):
    programs = beam_workers.environment(tmp_path / "sdist")
    with beam_workers.portable(programs, tmp_path) as options:
        run = Run(tmp_path / "out", data).pushed("--beam-runner=flink", *_of(options))
    _assert_same(run, in_memory)


def test_a_fault_in_the_data_that_a_worker_process_finds_is_told_in_one_sentence(tmp_path):
    folder = synthetic.write(tmp_path / "raw", "ml-100k", users=8, items=8).folder
    lines = (folder / "u.data").read_text().splitlines()
    lines[4] = "1\t2\tthree\t874724710"
    (folder / "u.data").write_text("\n".join(lines) + "\n")
    result = Run(tmp_path / "out", folder).command(*_of(beam_workers.PROCESSES))
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "u.data, line 5" in line
