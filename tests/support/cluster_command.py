"""A cluster, and kubeflow_runner's command run with it; kfp is needed only to compile."""

import pathlib

import yaml
from google.protobuf import json_format

CLUSTER = {
    "root": "gs://bucket/movielens",
    "image": "registry/image:1",
    "resources": {
        "InteractionsExampleGen": {"cpu": 4, "memory_gb": 16},
        "RecommenderTrainer": {
            **{"cpu": 8, "memory_gb": 30, "image": "registry/image:1-cuda"},
            **{"accelerator": "NVIDIA_TESLA_T4", "accelerators": 1},
        },
    },
    "vertex": {
        **{"project": "project", "region": "europe-west4", "network": "net"},
        **{"service_account": "a@b", "encryption_key": "key", "labels": {"team": "films"}},
    },
    "kfp": {"host": "https://kfp.example.org", "namespace": "team", "experiment": "films"},
}


def compiled(run, output, *arguments, **named):
    code, _, errors = run("compile", f"--output={output}", *arguments, **named)
    assert code == 0, errors
    content = yaml.safe_load(pathlib.Path(output).read_text())
    spec = content.get("pipelineSpec", content)
    from kfp.pipeline_spec import pipeline_spec_pb2

    # Raises where the file is no PipelineSpec.
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    if output.endswith(".json"):
        json_format.ParseDict(content, pipeline_spec_pb2.PipelineJob())
    return content


def executors(spec):
    return spec["deploymentSpec"]["executors"]
