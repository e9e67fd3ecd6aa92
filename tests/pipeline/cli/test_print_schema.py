"""The JSON Schema takes what the commands print and refuses what they refuse."""

import json

import jsonschema
import pytest
import yaml

import kubeflow_runner
import local_runner
from pipeline.config import presets
from pipeline.config import run as configuration
from pipeline.config.cluster import ClusterConfig
from pipeline.config.run import RunConfig
from schema.errors import UserError
from schema.settings import from_dict, to_dict

CLUSTER = """
root: gs://films/movielens
resources: {RecommenderTrainer: {cpu: 8, accelerator: NVIDIA_TESLA_T4, accelerators: 1}}
vertex: {project: films, labels: {team: a}, training: {workers: 2}}
beam: {runner: flink, options: {job_endpoint: "h:1", parallelism: 2}}
"""


def _printed(capsys, main):
    with pytest.raises(SystemExit) as ended:
        main(["--print-schema"])
    assert ended.value.code == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def _groups(schema):
    """All that describes a mapping of known keys."""
    if isinstance(schema, dict):
        if "properties" in schema and "type" in schema:
            yield schema
        for value in schema.values():
            yield from _groups(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _groups(value)


@pytest.fixture
def run_schema(capsys):
    return _printed(capsys, local_runner.main)


@pytest.fixture
def cluster_schema(capsys):
    return _printed(capsys, kubeflow_runner.main)


@pytest.mark.parametrize("name", presets.PRESETS)
def test_what_print_config_writes_of_a_preset_is_valid(name, run_schema):
    values = yaml.safe_load(configuration.dump(presets.get(name)))
    jsonschema.validate(values, run_schema)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "trainer: {learning_rate: 0.01, hr_threshold: null, neumf: {hidden_units: [8, 4]}}",
        "tune: {trials: 2, space: {learning_rate: [0.1, 0.2], mf.l2: {low: 0.1, high: 0.2}}}",
        "evaluation: {protocols: {full: {}, hard: {candidates: sampled, draw: popularity}}}",
    ],
)
def test_a_file_of_a_few_keys_is_valid(text, run_schema):
    jsonschema.validate(yaml.safe_load(text), run_schema)


@pytest.mark.parametrize(
    "text",
    [
        "- trainer",
        "trainr: {}",
        "trainer: [neumf]",
        "trainer: {epoch: 3}",
        "trainer: {epochs: many}",
        "trainer: {epochs: true}",
        "trainer: {epochs: 0}",
        "trainer: {model: neumff}",
        "trainer: {toy: {dim: 4}}",
        "trainer: {neumf: {embeding_dim: 4}}",
        "trainer: {neumf: {hidden_units: [8]}}",
        "trainer: {neumf: {pretrain: {alpha: 1.5}}}",
        "trainer: {two_tower: {user_features: [gendr]}}",
        "trainer: {optimizer: {name: adm}}",
        "data: {ingest: {test_share: 1}}",
        "tune: {space: {learning_rate: 0.1}}",
        "tune: {space: {learning_rate: {low: 0.1}}}",
        "evaluation: {metrics: hr}",
        "gate: {max_drop: 2}",
    ],
)
def test_a_bad_file_is_invalid_and_refused(text, run_schema):
    values = yaml.safe_load(text)
    assert not jsonschema.Draft202012Validator(run_schema).is_valid(values)
    with pytest.raises(UserError):
        from_dict(RunConfig, values)


def test_a_cluster_file_is_checked_too(cluster_schema):
    values = yaml.safe_load(CLUSTER)
    jsonschema.validate(values, cluster_schema)
    jsonschema.validate(to_dict(from_dict(ClusterConfig, values)), cluster_schema)
    bad = ("vertex: {training: {workers: 0}}", "resources: {A: {cpus: 1}}", "beam: {runner: prism}")
    for text in bad:
        values = yaml.safe_load(text)
        assert not jsonschema.Draft202012Validator(cluster_schema).is_valid(values)
        with pytest.raises(UserError):
            from_dict(ClusterConfig, values)


def test_no_group_takes_further_keys_and_every_key_is_described(run_schema, cluster_schema):
    for schema in (run_schema, cluster_schema):
        groups = list(_groups(schema))
        assert len(groups) > 5
        for group in groups:
            assert group["additionalProperties"] is False, group["title"]
            assert group["description"], group["title"]
            for key, value in group["properties"].items():
                assert value.get("description"), f"{group['title']}.{key}"
