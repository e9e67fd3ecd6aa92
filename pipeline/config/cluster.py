"""ClusterConfig: where and on which machines a compiled pipeline runs.

Read from the YAML file that kubeflow_runner's `--cluster` names; what a run
computes is pipeline.config's business. No TensorFlow import.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from pipeline.config.beam import DATAFLOW, BeamConfig
from schema.settings import check
from trainer.config.trainer import AUTO, ONE_PROCESS

# Stands where a cluster's owner must put a name of his own.
PLACEHOLDER = "YOUR-"

_LABEL = re.compile(r"[a-z0-9_-]{0,63}")


@dataclasses.dataclass(frozen=True)
class Resources:
    """What one component asks for; what is null is left to the back end.

    Attributes:
      cpu: cores at the most.
      memory_gb: memory at the most, in units of 10^9 bytes.
      accelerator: kind, as the back end calls it: NVIDIA_TESLA_T4 on Vertex AI,
        nvidia.com/gpu on Kubernetes.
      accelerators: how many of them.
      image: instead of the pipeline's, such as the CUDA variant.
    """

    cpu: float | None = None
    memory_gb: float | None = None
    accelerator: str | None = None
    accelerators: int = 0
    image: str | None = None

    def __post_init__(self) -> None:
        for name in ("cpu", "memory_gb"):
            value = getattr(self, name)
            check(value is None or value > 0, f"{name}: expected > 0 or null, got {value}.")
        _check_accelerators(self.accelerator, self.accelerators)


@dataclasses.dataclass(frozen=True)
class TrainingJob:
    """The Trainer as a custom job of Vertex AI, instead of in its pipeline task.

    Attributes:
      machine_type: of every machine.
      workers: machines that train, the chief among them; how many there may be
        is up to trainer.strategy.
      parameter_servers: further machines, without accelerators, that hold the
        variables of the strategy parameter_server.
      accelerator: kind, a machine; see Resources.
      accelerators: how many of them, a machine.
      image: instead of the pipeline's.
    """

    machine_type: str = "n1-standard-8"
    workers: int = 1
    parameter_servers: int = 0
    accelerator: str | None = None
    accelerators: int = 0
    image: str | None = None

    def __post_init__(self) -> None:
        check(self.workers >= 1, f"workers: expected at least 1, got {self.workers}.")
        servers = self.parameter_servers
        check(servers >= 0, f"parameter_servers: expected 0 or more, got {servers}.")
        check(
            not servers or self.workers > 1,
            f"workers: expected 2 or more with parameter servers, a chief and who it hands steps "
            f"to, got {self.workers}.",
        )
        _check_accelerators(self.accelerator, self.accelerators)


@dataclasses.dataclass(frozen=True)
class VertexConfig:
    """Vertex AI Pipelines.

    Attributes:
      project: Google Cloud project.
      region: such as europe-west4.
      service_account: e-mail address that the tasks run as; the project's
        default one when null.
      network: full name of a peered VPC network, or null.
      encryption_key: full name of a Cloud KMS key, or null.
      labels: of the jobs; small letters, digits, dashes and underscores.
      training: null trains in the pipeline's task.
    """

    project: str = f"{PLACEHOLDER}PROJECT"
    region: str = "us-central1"
    service_account: str | None = None
    network: str | None = None
    encryption_key: str | None = None
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    training: TrainingJob | None = None

    def __post_init__(self) -> None:
        for text in (*self.labels, *self.labels.values()):
            check(
                _LABEL.fullmatch(text) is not None,
                f"labels: expected up to 63 small letters, digits, dashes and underscores, "
                f"got {text!r}.",
            )


@dataclasses.dataclass(frozen=True)
class KfpConfig:
    """A Kubeflow Pipelines server; credentials come from the environment.

    Attributes:
      host: its address, such as https://kubeflow.example.org/pipeline.
      namespace: of runs and experiments.
      experiment: that runs are listed under; made when missing.
    """

    host: str = f"https://{PLACEHOLDER}HOST/pipeline"
    namespace: str = "kubeflow"
    experiment: str = "movielens"


@dataclasses.dataclass(frozen=True)
class ClusterConfig:
    """A place to run at.

    Attributes:
      root: URI of the folder for artifacts, checkpoints, pushed models and,
        unless the run's configuration names another, data.
      image: that every task runs in; see the Dockerfile.
      resources: by component, such as RecommenderTrainer.
      vertex: for `--target vertex`.
      kfp: for `--target kfp`.
      beam: who does the work of the Beam components; their own task when it
        is left out.
    """

    root: str = f"gs://{PLACEHOLDER}BUCKET/movielens-tfx"
    image: str = f"us-central1-docker.pkg.dev/{PLACEHOLDER}PROJECT/movielens-tfx/movielens-tfx"
    resources: dict[str, Resources] = dataclasses.field(default_factory=dict)
    vertex: VertexConfig = dataclasses.field(default_factory=VertexConfig)
    kfp: KfpConfig = dataclasses.field(default_factory=KfpConfig)
    beam: BeamConfig = dataclasses.field(default_factory=BeamConfig)

    def __post_init__(self) -> None:
        check("/" in self.root, f"root: expected the URI of a folder, got {self.root!r}.")
        check(self.image != "", "image: expected the name of an image, got an empty text.")


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
    """What Beam is asked for, with what the cluster already says.

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
    return BeamConfig(asked.runner, {**given, **asked.options})


def custom_job(cluster: ClusterConfig) -> dict[str, Any] | None:
    """The CustomJob that trains, as TFX's launcher takes it.

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
    check(count >= 0, f"accelerators: expected 0 or more, got {count}.")
    check(
        (kind is not None) == (count > 0),
        f"accelerators: expected a number together with the kind, got {count} of {kind!r}.",
    )
