"""ClusterConfig: where and on which machines a compiled pipeline runs.

Read from the YAML file that kubeflow_runner's `--cluster` names; what a run
computes is pipeline.config's business. No TensorFlow import.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, model_validator

from pipeline.config.beam import DATAFLOW, BeamConfig
from schema.settings import Count, Key, Positive, PositiveCount, Settings, check
from trainer.config.trainer import AUTO, ONE_PROCESS

# Stands where a cluster's owner must put a name of his own.
PLACEHOLDER = "YOUR-"

_LABEL = re.compile(r"[a-z0-9_-]{0,63}")


class Resources(Settings):
    """Say what one component asks for; what is null is left to the back end."""

    cpu: Positive | None = None
    """Cores at the most."""
    memory_gb: Positive | None = None
    """Memory at the most, in units of 10^9 bytes."""
    accelerator: str | None = None
    """Kind, as the back end calls it: NVIDIA_TESLA_T4 on Vertex AI, nvidia.com/gpu on Kubernetes.
    """
    accelerators: Count = 0
    """How many of them."""
    image: str | None = None
    """Instead of the pipeline's, such as the CUDA variant."""

    @model_validator(mode="after")
    def _check(self) -> Resources:
        _check_accelerators(self.accelerator, self.accelerators)
        return self


class TrainingJob(Settings):
    """Run the Trainer as a custom job of Vertex AI, instead of in its pipeline task."""

    machine_type: str = "n1-standard-8"
    """Of every machine."""
    workers: PositiveCount = 1
    """Machines that train, the chief among them; how many there may be is up to trainer.strategy.
    """
    parameter_servers: Count = 0
    """Further machines, without accelerators, that hold the variables of the strategy
    parameter_server.
    """
    accelerator: str | None = None
    """Kind, a machine; see Resources."""
    accelerators: Count = 0
    """How many of them, a machine."""
    image: str | None = None
    """Instead of the pipeline's."""

    @model_validator(mode="after")
    def _check(self) -> TrainingJob:
        check(
            not self.parameter_servers or self.workers > 1,
            f"workers: expected 2 or more with parameter servers, a chief and who it hands steps "
            f"to, got {self.workers}.",
        )
        _check_accelerators(self.accelerator, self.accelerators)
        return self


class VertexConfig(Settings):
    """Describe Vertex AI Pipelines."""

    project: str = f"{PLACEHOLDER}PROJECT"
    """Google Cloud project."""
    region: str = "us-central1"
    """Such as europe-west4."""
    service_account: str | None = None
    """E-mail address that the tasks run as; the project's default one when null."""
    network: str | None = None
    """Full name of a peered VPC network, or null."""
    encryption_key: str | None = None
    """Full name of a Cloud KMS key, or null."""
    labels: dict[Key, str] = Field(default_factory=dict)
    """Of the jobs; small letters, digits, dashes and underscores."""
    training: TrainingJob | None = None
    """Null trains in the pipeline's task."""

    @model_validator(mode="after")
    def _check(self) -> VertexConfig:
        for text in (*self.labels, *self.labels.values()):
            check(
                _LABEL.fullmatch(text) is not None,
                f"labels: expected up to 63 small letters, digits, dashes and underscores, "
                f"got {text!r}.",
            )
        return self


class KfpConfig(Settings):
    """Describe a Kubeflow Pipelines server; credentials come from the environment."""

    host: str = f"https://{PLACEHOLDER}HOST/pipeline"
    """Its address, such as https://kubeflow.example.org/pipeline."""
    namespace: str = "kubeflow"
    """Of runs and experiments."""
    experiment: str = "movielens"
    """That runs are listed under; made when missing."""


class ClusterConfig(Settings):
    """Describe where a compiled pipeline runs."""

    root: str = f"gs://{PLACEHOLDER}BUCKET/movielens-tfx"
    """URI of the folder for artifacts, checkpoints, pushed models and, unless the run's
    configuration names another, data.
    """
    image: str = f"us-central1-docker.pkg.dev/{PLACEHOLDER}PROJECT/movielens-tfx/movielens-tfx"
    """That every task runs in; see the Dockerfile."""
    resources: dict[Key, Resources] = Field(default_factory=dict)
    """By component, such as RecommenderTrainer."""
    vertex: VertexConfig = VertexConfig()
    """For `--target vertex`."""
    kfp: KfpConfig = KfpConfig()
    """For `--target kfp`."""
    beam: BeamConfig = BeamConfig()
    """Who does the work of the Beam components; their own task when it is left out."""

    @model_validator(mode="after")
    def _check(self) -> ClusterConfig:
        check("/" in self.root, f"root: expected the URI of a folder, got {self.root!r}.")
        check(self.image != "", "image: expected the name of an image, got an empty text.")
        return self


def check_strategy(strategy: str, job: TrainingJob | None) -> None:
    """Refuses machines that the strategy leaves idle, or lacks.

    Args:
      strategy: trainer.strategy.
      job: of the training; None where a task trains in one process.

    Raises:
      UserError: they do not fit.
    """
    workers, servers = (job.workers, job.parameter_servers) if job else (1, 0)
    if strategy == AUTO:
        return
    if strategy in ONE_PROCESS:
        fits, wanted = workers == 1, "one machine"
    elif strategy == "parameter_server":
        fits = servers > 0 and job is not None and job.accelerators < 2
        wanted = "two or more workers of one accelerator at the most, and parameter servers"
    else:
        fits, wanted = workers > 1 and not servers, "two or more workers and no parameter servers"
    there = "no custom job"
    if job:
        there = f"{workers} workers of {job.accelerators} accelerators, {servers} parameter servers"
    check(
        fits,
        f"vertex.training: expected {wanted} with the trainer.strategy {strategy}, got {there}.",
    )


def beam_config(cluster: ClusterConfig, asked: BeamConfig, vertex: bool) -> BeamConfig:
    """Return what Beam is asked for, with what the cluster already says.

    Args:
      cluster: whose root and `vertex` give Dataflow's options their defaults.
      asked: the runner, with options that win over them.
      vertex: whether the pipeline is for Vertex AI.

    Returns:
      The configuration; of a runner other than Dataflow as it was.
    """
    if asked.runner != DATAFLOW:
        return asked
    known: dict[str, str | None] = {"temp_location": f"{cluster.root.rstrip('/')}/beam"}
    if vertex:
        known |= {
            "project": cluster.vertex.project,
            "region": cluster.vertex.region,
            "service_account_email": cluster.vertex.service_account,
            "dataflow_kms_key": cluster.vertex.encryption_key,
        }
    given = {name: value for name, value in known.items() if value}
    return asked.replace(options={**given, **asked.options})


def custom_job(cluster: ClusterConfig) -> dict[str, Any] | None:
    """Build the CustomJob that trains, as TFX's launcher takes it.

    Args:
      cluster: of which `vertex.training` describes the machines.

    Returns:
      JSON-ready: `project` and the fields of a CustomJob. Vertex AI calls the
      first worker pool's machine the chief, the second pool workers and the
      third parameter servers. None where the task itself trains.
    """
    place = cluster.vertex
    asked = place.training
    if asked is None:
        return None
    plain: dict[str, Any] = {"machine_type": asked.machine_type}
    machine = plain
    if asked.accelerator is not None:
        machine = plain | {
            "accelerator_type": asked.accelerator,
            "accelerator_count": asked.accelerators,
        }
    counts = ((machine, 1), (machine, asked.workers - 1), (plain, asked.parameter_servers))
    pools = [
        {
            "machine_spec": kind,
            "replica_count": count,
            "container_spec": {"image_uri": asked.image or cluster.image},
        }
        for kind, count in counts
        if count
    ]
    spec: dict[str, Any] = {"service_account": place.service_account, "network": place.network}
    if asked.workers > 1 and not asked.parameter_servers:
        # Workers in common steps cannot go on with one that was started anew.
        spec["scheduling"] = {"restart_job_on_worker_restart": True}
    job = {
        "project": place.project,
        "labels": dict(place.labels),
        "job_spec": {"worker_pool_specs": pools, **{k: v for k, v in spec.items() if v}},
    }
    if place.encryption_key:
        job["encryption_spec"] = {"kms_key_name": place.encryption_key}
    return job


def _check_accelerators(kind: str | None, count: int) -> None:
    check(
        (kind is not None) == (count > 0),
        f"accelerators: expected a number together with the kind, got {count} of {kind!r}.",
    )
