"""Compiling for clusters, submitting, and mistakes, as a user sees them."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import pytest
import synthetic
import yaml
from google.protobuf import json_format

import kubeflow_runner
from pipeline import presets
from pipeline.backend import IMPORTER

pipeline_spec_pb2 = pytest.importorskip("kfp.pipeline_spec.pipeline_spec_pb2")

ROOT = pathlib.Path(__file__).resolve().parents[1]
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


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder with a cluster; returns code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["kubeflow_runner.py"])
    for name in ("MOVIELENS_CLUSTER", "MOVIELENS_CONFIG", "KFP_TOKEN", "KFP_COOKIES"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(CLUSTER))

    def command(verb, *arguments, cluster="cluster.yaml"):
        where = [f"--cluster={cluster}"] if cluster else []
        code = kubeflow_runner.main([verb, *where, *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def compiled(run, output, *arguments, **named):
    code, _, errors = run("compile", f"--output={output}", *arguments, **named)
    assert code == 0, errors
    content = yaml.safe_load(pathlib.Path(output).read_text())
    spec = content.get("pipelineSpec", content)
    # Raises where the file is no PipelineSpec.
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    if output.endswith(".json"):
        json_format.ParseDict(content, pipeline_spec_pb2.PipelineJob())
    return content


def executors(spec):
    return spec["deploymentSpec"]["executors"]


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_every_preset_compiles_for_both_targets(run, preset):
    for target, output in (("vertex", "p.json"), ("kfp", "p.yaml")):
        compiled(run, output, f"--target={target}", f"--preset={preset}")


def test_json_is_schema_2_0_and_yaml_2_1_and_both_carry_the_defaults(run):
    job = compiled(run, "p.json")
    assert job["pipelineSpec"]["schemaVersion"] == "2.0.0"
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/movielens/artifacts"
    assert job["runtimeConfig"]["parameters"] == {
        "data": {"stringValue": "gs://bucket/movielens/data/ml-100k"},
        "epochs": {"intValue": "20"},
        "trainer_overrides": {"stringValue": "{}"},
    }
    spec = compiled(run, "p.yaml")
    assert spec["schemaVersion"] == "2.1.0"
    assert spec["defaultPipelineRoot"] == "gs://bucket/movielens/artifacts"
    declared = spec["root"]["inputDefinitions"]["parameters"]
    assert declared["epochs"]["defaultValue"] == 20
    assert all(parameter["isOptional"] for parameter in declared.values())


def test_the_data_and_the_training_are_runtime_parameters_of_the_tasks_that_read_them(run):
    tasks = compiled(run, "p.json", "--set=tune.trials=2")["pipelineSpec"]["root"]["dag"]["tasks"]
    readers = {name: set() for name in ("data", "epochs", "trainer_overrides")}
    for task, content in tasks.items():
        for source in content.get("inputs", {}).get("parameters", {}).values():
            if "componentInputParameter" in source:
                readers[source["componentInputParameter"]].add(task)
    assert readers == {
        "data": {"InteractionsExampleGen", "CatalogExampleGen"},
        "epochs": {"RecommenderTuner", "RecommenderTrainer"},
        "trainer_overrides": {"RecommenderTuner", "RecommenderTrainer"},
    }


def test_vertex_resolves_the_blessed_model_with_stock_queries(run):
    spec = compiled(run, "p.json", "--set=trainer.warm_start=true")["pipelineSpec"]
    resolvers = {name for name, e in executors(spec).items() if "resolver" in e}
    assert resolvers == {
        f"{node}-{half}-resolver_executor"
        for node in ("BaselineResolver", "BaseModelResolver")
        for half in ("model-blessing", "model")
    }
    inputs = spec["root"]["dag"]["tasks"]["RecommenderTrainer"]["inputs"]["artifacts"]
    producer = inputs["base_model"]["taskOutputArtifact"]["producerTask"]
    assert producer == "BaseModelResolver-model-resolver"


def test_kfp_has_no_resolver_and_a_first_run_no_baseline(run):
    spec = compiled(run, "p.yaml", "--target=kfp", "--set=trainer.warm_start=true")
    assert {next(iter(executor)) for executor in executors(spec).values()} == {"container"}
    tasks = spec["root"]["dag"]["tasks"]
    assert "baseline_model" not in tasks["Evaluator"]["inputs"]["artifacts"]
    assert "base_model" not in tasks["RecommenderTrainer"]["inputs"]["artifacts"]


@pytest.mark.parametrize("warm", ["true", "false"])
def test_kfp_takes_a_baseline_by_uri_through_one_importer(run, warm):
    arguments = ("--target=kfp", "--baseline=s3://b/model", f"--set=trainer.warm_start={warm}")
    spec = compiled(run, "p.yaml", *arguments)
    others = {name for name, e in executors(spec).items() if "container" not in e}
    assert others == {f"{IMPORTER}_executor"}
    assert spec["root"]["inputDefinitions"]["parameters"]["baseline"]["defaultValue"] == (
        "s3://b/model"
    )
    tasks = spec["root"]["dag"]["tasks"]
    source = tasks["Evaluator"]["inputs"]["artifacts"]["baseline_model"]["taskOutputArtifact"]
    assert source == {"producerTask": IMPORTER, "outputArtifactKey": "result"}
    trained_from = tasks["RecommenderTrainer"]["inputs"]["artifacts"].get("base_model")
    assert (trained_from is not None) == (warm == "true")


def test_only_vertex_caches_what_its_drivers_look_after(run):
    for target, cached in (("vertex", True), ("kfp", False)):
        spec = compiled(run, "p.yaml", f"--target={target}")
        tasks = spec["root"]["dag"]["tasks"]
        for name in ("InteractionsExampleGen", "CatalogExampleGen"):
            assert ("cachingOptions" in tasks[name]) == cached
        assert tasks["Transform"]["cachingOptions"] == {"enableCache": True}


def test_resources_and_images_reach_the_containers_they_name(run):
    found = executors(compiled(run, "p.yaml"))
    assert found["InteractionsExampleGen_executor"]["container"]["resources"] == {
        "cpuLimit": 4.0,
        "memoryLimit": 16.0,
    }
    trainer = found["RecommenderTrainer_executor"]["container"]
    assert trainer["resources"]["accelerator"] == {"type": "NVIDIA_TESLA_T4", "count": "1"}
    assert trainer["image"] == "registry/image:1-cuda"
    other = found["Transform_executor"]["container"]
    assert (other["image"], "resources" in other) == ("registry/image:1", False)


def test_the_trainer_may_be_a_job_of_its_own_on_vertex(run):
    training = {"machine_type": "n1-standard-16", "accelerator": "NVIDIA_TESLA_T4"}
    training |= {"accelerators": 2, "image": "registry/image:1-cuda"}
    vertex = {**CLUSTER["vertex"], "training": training}
    pathlib.Path("jobs.yaml").write_text(yaml.safe_dump({**CLUSTER, "vertex": vertex}))
    spec = compiled(run, "p.yaml", cluster="jobs.yaml")
    container = executors(spec)["RecommenderTrainer_executor"]["container"]
    assert container["args"][1] == "components.trainer.vertex.Executor"
    task = spec["root"]["dag"]["tasks"]["RecommenderTrainer"]["inputs"]
    assert "catalog" in task["artifacts"]
    custom = json.loads(task["parameters"]["custom_config"]["runtimeValue"]["constant"])
    assert custom["ai_platform_training_args"]["project"] == "project"
    # The open-source back end has no such jobs.
    spec = compiled(run, "p.yaml", "--target=kfp", cluster="jobs.yaml")
    container = executors(spec)["RecommenderTrainer_executor"]["container"]
    assert container["args"][1] == "components.trainer.executor.Executor"


def test_several_workers_want_a_strategy_for_them(run):
    vertex = {**CLUSTER["vertex"], "training": {"workers": 3}}
    pathlib.Path("jobs.yaml").write_text(yaml.safe_dump({**CLUSTER, "vertex": vertex}))
    code, _, errors = run("compile", cluster="jobs.yaml")
    assert code == 2
    assert "vertex.training.workers: expected 1 with the strategy none" in errors


def test_a_forced_blessing_is_compiled_in(run):
    spec = compiled(run, "p.yaml", "--force-bless=locked out")
    settings = spec["root"]["dag"]["tasks"]["Evaluator"]["inputs"]["parameters"]["settings"]
    assert json.loads(settings["runtimeValue"]["constant"])["force_bless"] == "locked out"


def test_the_layout_of_readable_data_is_detected(run, tmp_path):
    data = synthetic.write(tmp_path / "data", "ml-csv", users=12, items=9)
    pathlib.Path("here.yaml").write_text(yaml.safe_dump({"root": str(tmp_path / "root")}))
    job = compiled(run, "p.json", f"--data={data.folder}", cluster="here.yaml")
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    text = tasks["InteractionsExampleGen"]["inputs"]["parameters"]["custom_config"]
    assert "ml-csv" in text["runtimeValue"]["constantValue"]["stringValue"]
    assert job["runtimeConfig"]["parameters"]["data"]["stringValue"] == str(data.folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "--output=p.txt"], "--output: expected a name in .json or .yaml, got 'p.txt'"),
        (["compile", "--baseline=gs://m"], "--baseline: expected with --target kfp only"),
        (["compile", "--target=flink"], "argument --target: invalid choice: 'flink'"),
        (["compile", "--data=synthetic:users=5,items=9,interactions=20"], "generate the data with"),
        (["compile", "--data=here"], "data.path: here is on this machine, and the tasks run else"),
        (["compile", "--force-bless= "], "--force-bless: expected a reason, got an empty text."),
        (["compile", "--cluster=none.yaml"], "none.yaml: cannot read the configuration"),
        (["submit", "--spec=none.json"], "none.json: cannot read the compiled pipeline (no"),
        (["submit", "--spec=cluster.yaml"], "cluster.yaml: expected a file that `kubeflow_runner."),
    ],
)
def test_mistakes_are_told_in_one_sentence(run, arguments, message):
    code, out, errors = run(arguments[0], *arguments[1:])
    assert (code, out) == (2, "")
    (line,) = errors.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        ({"resources": {"Trainr": {"cpu": 1}}}, "resources: expected one of BaselineResolver"),
        (
            {"resources": {"Pusher": {"cpu": 0}}},
            "resources.Pusher.cpu: expected > 0 or null, got 0",
        ),
        (
            {"resources": {"Pusher": {"accelerators": 1}}},
            "expected a number together with the kind",
        ),
        ({"vertex": {"labels": {"Team": "a"}}}, "vertex.labels: expected up to 63 small letters"),
        ({"bucket": "b"}, "Unknown key 'bucket'"),
    ],
)
def test_a_bad_cluster_file_is_told_in_one_sentence(run, cluster, message):
    pathlib.Path("bad.yaml").write_text(yaml.safe_dump({**CLUSTER, **cluster}))
    code, _, errors = run("compile", cluster="bad.yaml")
    assert code == 2
    assert message.replace("BaselineResolver", "CatalogExampleGen") in errors
    assert not pathlib.Path("pipeline.json").exists()


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


def test_where_tfx_allows_for_no_kfp_compiling_says_so(run, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, _, errors = run("compile")
    assert code == 2
    assert "kfp is not installed; the lock file has it for Python 3.10 and 3.11, " in errors


def test_json_is_not_handed_to_a_kfp_host(run):
    compiled(run, "p.json", "--target=kfp")
    code, _, errors = run("submit", "--target=kfp", "--spec=p.json", "--dry-run")
    assert code == 2
    assert "p.json: expected YAML of schema 2.1 for --target kfp, got schema 2.0.0" in errors


def test_placeholders_compile_with_a_note_and_are_not_submitted(run):
    code, _, errors = run("compile", cluster=None)
    assert code == 0
    assert "note: gs://YOUR-BUCKET/movielens-tfx and " in errors
    code, _, errors = run("submit", "--dry-run")
    assert code == 2
    assert "pipeline.json: expected names of your own in the place of YOUR-" in errors


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


@pytest.mark.slow
def test_the_tfx_command_line_compiles_the_file(tmp_path):
    command = ["tfx", "pipeline", "compile", "--engine=vertex"]
    command += [f"--pipeline_path={ROOT / 'kubeflow_runner.py'}"]
    # It asks the first pip on the path for kfp.
    programs = str(pathlib.Path(sys.executable).parent)
    environment = {**os.environ, "PATH": os.pathsep.join([programs, os.environ["PATH"]])}
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Pipeline movielens-ml-100k compiled successfully." in result.stdout
    assert (tmp_path / "pipeline.json").exists()
