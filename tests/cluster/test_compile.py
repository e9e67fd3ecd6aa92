"""Compiling for clusters, and mistakes, as a user sees them."""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

import kubeflow_runner
from pipeline.backend import IMPORTER
from pipeline.config import presets
from tests.support import synthetic
from tests.support.cluster_command import CLUSTER, compiled, executors

pytest.importorskip("kfp.pipeline_spec.pipeline_spec_pb2")

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.seconds
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


def test_pipelines_that_share_a_root_share_no_served_folder_and_no_states(run):
    found = []
    for data in ("ml-100k", "ml-1m"):
        text = json.dumps(compiled(run, "p.json", f"--preset={data}-neumf"))
        places = {
            folder: set(re.findall(rf"gs://bucket/movielens/{folder}[^\\\"]*", text))
            for folder in ("serving", "checkpoints", "artifacts")
        }
        found.append(places)
        for folder in ("serving", "checkpoints"):
            assert places[folder] == {f"gs://bucket/movielens/{folder}/movielens-{data}"}
    assert found[0]["artifacts"] == found[1]["artifacts"]


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


@pytest.mark.parametrize(
    ("strategy", "training", "target", "sentence"),
    [
        ("none", {"workers": 3}, "vertex", "one machine"),
        ("multi_worker_mirrored", {"workers": 1}, "vertex", "two or more workers and no"),
        ("multi_worker_mirrored", {"workers": 3}, "kfp", "with --target kfp, which trains in one"),
        (
            "parameter_server",
            {"workers": 3},
            "vertex",
            "one accelerator at the most, and",
        ),
        (
            "parameter_server",
            {"workers": 3, "parameter_servers": 1, "accelerator": "T4", "accelerators": 2},
            "vertex",
            "one accelerator at the most",
        ),
        ("mirrored", {"workers": 2, "parameter_servers": 1}, "vertex", "one machine"),
        ("none", {"parameter_servers": 1}, "vertex", "workers: expected 2 or more"),
    ],
)
def test_machines_must_fit_the_strategy(run, strategy, training, target, sentence):
    vertex = {**CLUSTER["vertex"], "training": training}
    pathlib.Path("jobs.yaml").write_text(yaml.safe_dump({**CLUSTER, "vertex": vertex}))
    arguments = ["compile", f"--target={target}", f"--set=trainer.strategy={strategy}"]
    code, _, errors = run(*arguments, cluster="jobs.yaml")
    assert code == 2
    assert sentence in errors
    assert errors.count("\n") == 1


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


def test_a_table_of_ones_own_is_compiled_in_with_its_file_and_columns(run, tmp_path):
    (tmp_path / "here.yaml").write_text(f"root: {tmp_path}/root\n")
    (tmp_path / "own.csv").write_text("buyer,item\n1,2\n")
    named = ["--set", "data.columns.user=buyer", f"--data={tmp_path}/own.csv"]
    job = compiled(run, "p.json", *named, cluster="here.yaml")
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    for task in ("InteractionsExampleGen", "CatalogExampleGen"):
        text = json.dumps(tasks[task]["inputs"]["parameters"]["custom_config"])
        assert "own.csv" in text
        assert "buyer" in text
    assert job["runtimeConfig"]["parameters"]["data"]["stringValue"] == str(tmp_path)


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


def test_where_tfx_allows_for_no_kfp_compiling_says_so(run, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, _, errors = run("compile")
    assert code == 2
    assert "kfp is not installed; the lock file has it for Python 3.10 and 3.11, " in errors


@pytest.mark.slow
def test_the_tfx_command_line_compiles_the_file(tmp_path):
    command = ["tfx", "pipeline", "compile", "--engine=vertex"]
    command += [f"--pipeline_path={ROOT / 'kubeflow_runner.py'}"]
    # It asks the first pip on the path for kfp.
    programs = str(pathlib.Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([programs, os.environ["PATH"]]),
        "MOVIELENS_CLUSTER": str(tmp_path / "cluster.yaml"),
    }
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(CLUSTER))
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Pipeline movielens-ml-100k compiled successfully." in result.stdout
    assert (tmp_path / "pipeline.json").exists()


def test_no_arguments_and_no_cluster_write_nothing(run, capsys, tmp_path):
    before = sorted(tmp_path.iterdir())
    assert kubeflow_runner.main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: expected compile, submit or status, or MOVIELENS_CLUSTER")
    assert sorted(tmp_path.iterdir()) == before
