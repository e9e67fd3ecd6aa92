"""Submitting what was compiled, and asking for its state; the last call is replaced."""

import json
import socket
from types import SimpleNamespace

import pytest
import yaml

from tests.support.cluster_command import CLUSTER, compiled

pytest.importorskip("kfp.pipeline_spec.pipeline_spec_pb2")


def test_a_dry_run_shows_what_vertex_would_be_asked(run):
    compiled(run, "p.json")
    arguments = ("--spec=p.json", "--parameter=epochs=3", "--no-cache", "--dry-run")
    code, out, _ = run("submit", *arguments)
    assert code == 0
    assert json.loads(out) == {
        "PipelineJob": {
            **{"display_name": "movielens-ml-100k", "template_path": "p.json"},
            **{"parameter_values": {"epochs": 3}, "enable_caching": False},
            **{"encryption_spec_key_name": "key", "labels": {"team": "films"}},
            **{"project": "project", "location": "europe-west4"},
        },
        "submit": {"service_account": "a@b", "network": "net"},
    }


def test_a_dry_run_shows_a_schedule_on_a_kfp_host(run):
    compiled(run, "p.yaml", "--target=kfp")
    arguments = ("--target=kfp", "--spec=p.yaml", "--schedule=0 3 * * *", "--dry-run")
    code, out, errors = run("submit", *arguments)
    assert code == 0, errors
    calls = json.loads(out)
    assert calls["Client"] == {"host": "https://kfp.example.org", "namespace": "team"}
    assert calls["create_experiment"] == {"name": "films", "namespace": "team"}
    assert calls["create_recurring_run"]["cron_expression"] == "0 3 * * *"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parameter=epoch=3"], "--parameter: expected one of data, epochs, trainer_overrides, "),
        (["--parameter=epochs=few"], "--parameter: expected an integer for epochs, got 'few'."),
        (["--parameter=epochs"], "--parameter: expected NAME=VALUE, got 'epochs'."),
        (["--target=kfp"], "p.json: expected a pipeline compiled with --target kfp, got one with"),
    ],
)
def test_what_cannot_be_submitted_is_refused(run, arguments, message):
    compiled(run, "p.json")
    code, _, errors = run("submit", "--spec=p.json", "--dry-run", *arguments)
    assert code == 2
    assert message in errors


def test_json_is_not_handed_to_a_kfp_host(run):
    compiled(run, "p.json", "--target=kfp")
    code, _, errors = run("submit", "--target=kfp", "--spec=p.json", "--dry-run")
    assert code == 2
    assert "p.json: expected YAML of schema 2.1 for --target kfp, got schema 2.0.0" in errors


def test_a_kfp_host_is_not_handed_a_uri(run):
    code, _, errors = run("submit", "--target=kfp", "--spec=gs://b/p.yaml", "--dry-run")
    assert code == 2
    assert "gs://b/p.yaml: kfp's client reads files of this machine only" in errors


def test_placeholders_compile_with_a_note_and_are_not_submitted(run):
    code, _, errors = run("compile", cluster=None)
    assert code == 0
    assert "note: gs://YOUR-BUCKET/movielens-tfx and " in errors
    code, _, errors = run("submit", "--dry-run")
    assert code == 2
    assert "pipeline.json: expected names of your own in the place of YOUR-" in errors


@pytest.mark.seconds
def test_vertex_gets_the_job_with_its_parameters(run, monkeypatch):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    monkeypatch.setattr("google.auth.default", lambda **_: (AnonymousCredentials(), "project"))
    sent = []
    monkeypatch.setattr(
        aiplatform.PipelineJob, "submit", lambda job, **who: sent.append((job, who))
    )
    monkeypatch.setattr(aiplatform.PipelineJob, "resource_name", "projects/1/pipelineJobs/7")
    for output in ("p.json", "p.yaml"):
        compiled(run, output)
        code, out, errors = run("submit", f"--spec={output}", "--parameter=epochs=3")
        assert (code, out) == (0, "projects/1/pipelineJobs/7\n"), errors
        job, who = sent.pop()
        assert who == {"service_account": "a@b", "network": "net"}
        resource = job._gca_resource
        assert resource.encryption_spec.kms_key_name == "key"
        assert dict(resource.labels)["team"] == "films"
        config = resource.runtime_config
        assert config.gcs_output_directory == "gs://bucket/movielens/artifacts"
        if output == "p.json":
            assert config.parameters["epochs"].int_value == 3
            assert config.parameters["trainer_overrides"].string_value == "{}"
        else:
            assert config.parameter_values["epochs"] == 3


def test_vertex_is_asked_for_the_state_of_a_run(run, monkeypatch):
    from google.cloud import aiplatform

    asked = []

    def get(name, **place):
        asked.append((name, place))
        return SimpleNamespace(state=SimpleNamespace(name="PIPELINE_STATE_RUNNING"))

    monkeypatch.setattr(aiplatform.PipelineJob, "get", get)
    assert run("status", "run-7")[:2] == (0, "PIPELINE_STATE_RUNNING\n")
    assert asked == [("run-7", {"project": "project", "location": "europe-west4"})]


def test_a_kfp_host_gets_the_file_and_the_credentials_of_the_environment(run, monkeypatch):
    import kfp

    calls = []

    class Client:
        def __init__(self, **arguments):
            calls.append(arguments)

        def create_run_from_pipeline_package(self, **arguments):
            calls.append(arguments)
            return type("Result", (), {"run_id": "run-7"})

        def get_run(self, run_id):
            return type("Run", (), {"state": f"RUNNING {run_id}"})

    monkeypatch.setattr(kfp, "Client", Client)
    monkeypatch.setenv("KFP_TOKEN", "secret")
    compiled(run, "p.yaml", "--target=kfp")
    arguments = ("--target=kfp", "--spec=p.yaml", "--parameter=data=s3://b/other")
    assert run("submit", *arguments)[:2] == (0, "run-7\n")
    client, asked = calls
    assert client["existing_token"] == "secret"
    assert asked["arguments"] == {"data": "s3://b/other"}
    assert asked["experiment_name"] == "films"
    assert run("status", "--target=kfp", "run-7")[:2] == (0, "RUNNING run-7\n")


def test_a_kfp_host_that_does_not_answer_is_told_in_one_sentence(run, tmp_path, caplog):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{unused.getsockname()[1]}/pipeline"
    cluster = {**CLUSTER, "kfp": {**CLUSTER.get("kfp", {}), "host": host}}
    (tmp_path / "away.yaml").write_text(yaml.safe_dump(cluster))
    code, _, errors = run("status", "--target=kfp", "run-7", cluster="away.yaml")
    assert code == 2
    assert errors.splitlines() == [f"error: {host}: no server answers there."]
    assert not [record for record in caplog.records if record.name.startswith("urllib3")]


def test_missing_google_credentials_are_told_with_the_remedy(run, monkeypatch):
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import aiplatform

    def get(*_, **__):
        raise DefaultCredentialsError("Your default credentials were not found. " * 20)

    monkeypatch.setattr(aiplatform.PipelineJob, "get", get)
    code, _, errors = run("status", "run-7")
    assert code == 2
    assert errors.startswith("error: found no Google credentials that work; run `gcloud auth ")
