"""The Beam runner of compiled pipelines, as the specs say it."""

import pytest
import yaml

from tests.support.cluster_command import CLUSTER, compiled, executors

pytest.importorskip("kfp.pipeline_spec.pipeline_spec_pb2")

BEAM_COMPONENTS = {
    "InteractionsExampleGen",
    "CatalogExampleGen",
    "InteractionsStatistics",
    "CatalogStatistics",
    "Transform",
    "Evaluator",
}


def _beam(spec):
    """Beam's arguments by component."""
    spec = spec.get("pipelineSpec", spec)
    return {
        name: [a for a in executors(spec)[f"{name}_executor"]["container"]["args"] if "=" in a]
        for name in BEAM_COMPONENTS
    }


def test_components_do_their_own_work_unless_told_otherwise(run):
    for output in ("p.json", "p.yaml"):
        assert all(arguments == [] for arguments in _beam(compiled(run, output)).values())


@pytest.mark.parametrize("output", ["p.json", "p.yaml"])
def test_dataflow_takes_over_what_the_cluster_file_says_of_vertex(run, output):
    spec = compiled(run, output, "--beam-runner=dataflow", "--beam-option=max_num_workers=9")
    for arguments in _beam(spec).values():
        assert sorted(arguments) == [
            "--dataflow_kms_key=key",
            "--max_num_workers=9",
            "--project=project",
            "--region=europe-west4",
            "--runner=DataflowRunner",
            "--sdk_container_image=registry/image:1",
            "--service_account_email=a@b",
            "--temp_location=gs://bucket/movielens/beam",
        ]


@pytest.mark.parametrize("target", ["vertex", "kfp"])
def test_the_cluster_file_may_name_a_runner_and_an_argument_another(run, target, tmp_path):
    options = {"job_endpoint": "jobs:8099", "parallelism": 4}
    named = {**CLUSTER, "beam": {"runner": "flink", "options": options}}
    (tmp_path / "flink.yaml").write_text(yaml.safe_dump(named))
    spec = compiled(run, "p.yaml", f"--target={target}", cluster="flink.yaml")
    for arguments in _beam(spec).values():
        assert arguments == [
            "--runner=PortableRunner",
            "--job_endpoint=jobs:8099",
            "--parallelism=4",
            "--environment_type=DOCKER",
            "--environment_config=registry/image:1",
            "--sdk_container_image=registry/image:1",
        ]
    spec = compiled(run, "p.yaml", "--beam-runner=direct", cluster="flink.yaml")
    assert all(arguments == [] for arguments in _beam(spec).values())


def test_kfp_knows_no_project_of_google(run):
    code, _, errors = run("compile", "--target=kfp", "--output=p.yaml", "--beam-runner=dataflow")
    assert code == 2
    assert "the dataflow runner needs the options project, region too." in errors


def test_the_workers_must_see_the_root_and_the_data(run, tmp_path):
    (tmp_path / "here.yaml").write_text(yaml.safe_dump({**CLUSTER, "root": "/mnt/movielens"}))
    asked = ("--beam-runner=spark", "--beam-option=job_endpoint=jobs:8099")
    code, _, errors = run("compile", "--output=p.yaml", *asked, cluster="here.yaml")
    assert code == 2
    assert errors.startswith("error: root: expected a URI such as gs://bucket/folder")


def test_every_container_brings_its_command_so_the_image_may_start_beam_workers(run):
    for output in ("p.json", "p.yaml"):
        spec = compiled(run, output)
        spec = spec.get("pipelineSpec", spec)
        containers = [e["container"] for e in executors(spec).values() if "container" in e]
        assert len(containers) > 10
        assert all(container["command"][0] == "python" for container in containers)
