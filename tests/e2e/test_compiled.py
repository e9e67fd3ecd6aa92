"""Compiled pipelines, executed task by task from the built wheel as a cluster would."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import pytest
import yaml

from components.evaluator.gate.result_files import read_metrics
from components.evaluator.gate.run_gate import read as read_verdict
from tests.support import object_store, synthetic, wheel
from tests.support.cluster_back_end import BackEnd

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = ("trainer.epochs=6", "trainer.learning_rate=0.02", "trainer.batch_size=256")
CONTAINERS = {
    *("InteractionsExampleGen", "CatalogExampleGen", "InteractionsSchema", "CatalogSchema"),
    *("InteractionsStatistics", "CatalogStatistics", "InteractionsValidator", "CatalogValidator"),
    *("Transform", "RecommenderTrainer", "Evaluator", "Pusher"),
}
TRAINED_AGAIN = {"RecommenderTrainer", "Evaluator", "Pusher"}

pytest.importorskip("kfp")
# Every task is a process that imports TFX: minutes a run.
pytestmark = [pytest.mark.cluster, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]


@dataclasses.dataclass
class Place:
    """Data, and an environment with our wheel."""

    folder: pathlib.Path
    data: str
    programs: pathlib.Path

    @property
    def variables(self):
        return wheel.variables(self.programs, self.folder)

    def compile(self, output, *arguments, root=None, data=None):
        """Compiles with the wheel's own runner; returns the file."""
        cluster = self.folder / "cluster.yaml"
        root = root or str(self.folder / "root")
        cluster.write_text(yaml.safe_dump({"root": root, "image": "image"}))
        settings = [a for setting in SETTINGS for a in ("--set", setting)]
        command = [str(self.programs / "python"), "-m", "kubeflow_runner", "compile"]
        command += [f"--cluster={cluster}", f"--output={self.folder / output}"]
        command += [f"--data={data or self.data}", *settings, *arguments]
        subprocess.run(command, check=True, cwd=self.folder, env=self.variables)
        return self.folder / output

    def pushed(self):
        return sorted(path.name for path in (self.folder / "root" / "serving").glob("*/*"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    data = synthetic.write(folder / "data", "ml-100k", users=120, items=60)
    programs = wheel.environment(wheel.build(folder / "wheel"), folder / "environment")
    return Place(folder, str(data.folder), programs)


@pytest.fixture(scope="module")
def vertex(place):
    """A back end on which the Vertex spec ran once, the spec and the run."""
    back_end = BackEnd(place.folder / "vertex", place.variables)
    spec = place.compile("pipeline.json", "--target=vertex")
    return back_end, spec, back_end.run(spec)


def _overall(evaluation):
    (overall,) = [result for result in read_metrics(evaluation) if not result.feature]
    return {name: metric.value for name, metric in overall.metrics.items()}


def test_the_vertex_spec_pushes_a_model_as_good_as_the_local_runners(place, vertex):
    _, _, run = vertex
    assert run.ran == CONTAINERS
    assert len(place.pushed()) == 1
    (examples,) = run.outputs["InteractionsExampleGen"]["examples"]
    assert examples["metadata"]["users"] == 120
    assert "input_fingerprint" in examples["metadata"]
    output = place.folder / "local"
    settings = [a for setting in SETTINGS for a in ("--set", setting)]
    command = [sys.executable, str(ROOT / "local_runner.py"), f"--data={place.data}"]
    subprocess.run([*command, f"--output={output}", *settings], check=True, capture_output=True)
    (local, *_) = json.loads((output / "summary.json").read_text())["metrics"]
    ours = _overall(run.outputs["Evaluator"]["evaluation"][0]["uri"])
    for protocol in ("full", "sampled"):
        name = f"hr@10_{protocol}"
        assert ours[name] == pytest.approx(local["metrics"][name]["value"], abs=1e-9)


def test_a_second_vertex_run_reuses_what_it_can_and_meets_the_blessed_model(place, vertex):
    back_end, spec, first = vertex
    second = back_end.run(spec, epochs=2, trainer_overrides='{"seed": 7}')
    assert second.ran == TRAINED_AGAIN
    report = pathlib.Path(_report(second))
    assert json.loads((report / "training.json").read_text())["epochs"] == 2
    verdict = read_verdict(second.outputs["Evaluator"]["evaluation"][0]["uri"])
    assert verdict["baseline_model"] == first.outputs["RecommenderTrainer"]["model"][0]["uri"]


def test_the_kfp_spec_runs_without_drivers_and_takes_its_baseline_by_uri(place, vertex):
    _, _, first = vertex
    model = first.outputs["RecommenderTrainer"]["model"][0]["uri"]
    spec = place.compile("pipeline.yaml", "--target=kfp", f"--baseline={model}")
    run = BackEnd(place.folder / "kfp", place.variables, drivers=False).run(spec, epochs=2)
    assert run.ran == CONTAINERS
    verdict = read_verdict(run.outputs["Evaluator"]["evaluation"][0]["uri"])
    assert verdict["baseline_model"] == model
    assert verdict["rules"]


def test_the_vertex_spec_pushes_the_same_model_in_a_bucket(place, vertex, tmp_path):
    _, _, local = vertex
    bucket = "gs://films/ml"
    with object_store.serving(tmp_path) as service:
        for file in pathlib.Path(place.data).iterdir():
            service.put(f"{bucket}/data/{file.name}", file.read_bytes())
        where = {"root": bucket, "data": f"{bucket}/data"}
        spec = place.compile("bucket.json", "--target=vertex", "--format=ml-100k", **where)
        variables = {**place.variables, **service.variables}
        run = BackEnd(place.folder / "bucket", variables, root=f"{bucket}/artifacts").run(spec)
        served = service.numbers(f"{bucket}/serving")
        (model,) = run.outputs["RecommenderTrainer"]["model"]
        trained = json.loads(service.get(f"{_report(run)}/training.json"))
    assert run.ran == CONTAINERS
    assert model["uri"].startswith(f"{bucket}/artifacts/")
    assert max(served, key=served.get).endswith("/saved_model.pb")
    before = json.loads((pathlib.Path(_report(local)) / "training.json").read_text())
    assert trained["best_validation"] == before["best_validation"]


def _report(run):
    return run.outputs["RecommenderTrainer"]["model_run"][0]["uri"]
