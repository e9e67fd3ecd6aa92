"""The Trainer's custom job: what TFX's launcher makes of our configuration."""

import json

from google.cloud.aiplatform_v1.types import CustomJob
from tfx.extensions.google_cloud_ai_platform import runner, training_clients
from tfx.types import standard_artifacts

from components.trainer import vertex
from pipeline.config.cluster import ClusterConfig, TrainingJob, VertexConfig, custom_job


def _cluster(**training):
    vertex_config = VertexConfig(
        project="project",
        region="europe-west4",
        service_account="a@b",
        network="net",
        encryption_key="key",
        labels={"team": "films"},
        training=TrainingJob(**training),
    )
    return ClusterConfig(root="gs://b/r", image="registry/image:1", vertex=vertex_config)


def test_one_machine_is_one_worker_pool_and_more_are_a_second():
    (chief,) = custom_job(_cluster(machine_type="m"))["job_spec"]["worker_pool_specs"]
    assert chief == {
        "machine_spec": {"machine_type": "m"},
        "replica_count": 1,
        "container_spec": {"image_uri": "registry/image:1"},
    }
    asked = {"workers": 4, "accelerator": "NVIDIA_L4", "accelerators": 2, "image": "other"}
    pools = custom_job(_cluster(**asked))["job_spec"]["worker_pool_specs"]
    assert [pool["replica_count"] for pool in pools] == [1, 3]
    for pool in pools:
        assert pool["machine_spec"]["accelerator_type"] == "NVIDIA_L4"
        assert pool["machine_spec"]["accelerator_count"] == 2
        assert pool["container_spec"] == {"image_uri": "other"}
    assert custom_job(ClusterConfig()) is None


def test_parameter_servers_are_a_third_pool_without_accelerators():
    asked = {"workers": 3, "parameter_servers": 2, "accelerator": "NVIDIA_L4", "accelerators": 1}
    pools = custom_job(_cluster(machine_type="m", **asked))["job_spec"]["worker_pool_specs"]
    assert [pool["replica_count"] for pool in pools] == [1, 2, 2]
    assert pools[1]["machine_spec"]["accelerator_type"] == "NVIDIA_L4"
    assert pools[2]["machine_spec"] == {"machine_type": "m"}


def test_all_start_anew_with_a_worker_only_where_they_take_steps_together():
    def scheduling(**training):
        return custom_job(_cluster(**training))["job_spec"].get("scheduling")

    assert scheduling(workers=2) == {"restart_job_on_worker_restart": True}
    assert scheduling(workers=2, parameter_servers=1) is None
    assert scheduling() is None


def test_the_launcher_starts_our_executor_in_every_pool_with_all_it_needs(monkeypatch):
    monkeypatch.setattr(training_clients.VertexJobClient, "create_client", lambda self: None)
    launched = []
    monkeypatch.setattr(runner, "_launch_cloud_training", lambda **job: launched.append(job))
    catalog = standard_artifacts.Examples()
    catalog.uri = "gs://b/catalog"
    custom = vertex.job_config(custom_job(_cluster(workers=2)), "europe-west4")
    properties = {"custom_config": json.dumps({"trainer": {}, **custom}), "epochs": 3}
    vertex.Executor().Do({"catalog": [catalog]}, {}, properties)
    (sent,) = launched
    assert (sent["project"], sent["vertex_region"]) == ("project", "europe-west4")
    # Raises where a field is unknown to Vertex AI.
    job = CustomJob(sent["training_job"])
    assert job.encryption_spec.kms_key_name == "key"
    assert job.labels["team"] == "films"
    assert (job.job_spec.service_account, job.job_spec.network) == ("a@b", "net")
    assert job.job_spec.scheduling.restart_job_on_worker_restart
    for pool in job.job_spec.worker_pool_specs:
        command = list(pool.container_spec.command)
        index = command.index("--executor_class_path") + 1
        assert command[index] == "components.trainer.executor.Executor"
        assert "gs://b/catalog" in command[command.index("--inputs") + 1]
        assert json.loads(command[command.index("--exec-properties") + 1])["epochs"] == 3
