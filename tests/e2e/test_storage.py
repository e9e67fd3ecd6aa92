"""Everything behind URIs: a run killed and started again, and an evaluation of what it pushed.

TensorFlow's and Beam's own clients of gs:// talk to a service on loopback.
"""

import csv
import io
import json
import os
import pathlib
import signal
import sys
import time

import pytest

from tests.support import forks, object_store, synthetic

ROOT = pathlib.Path(__file__).resolve().parents[2]
USERS = 50
BUCKET = "gs://films/ml"
# No more to measure than what shows that figures come out.
FEW = ("evaluation.slices=[]", "evaluation.metrics=[hr, ndcg]", "evaluation.protocols={full: {}}")

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    data = synthetic.write(folder / "data", "ml-100k", users=USERS, items=40)
    with object_store.serving(folder) as running:
        for file in data.folder.iterdir():
            running.put(f"{BUCKET}/data/{file.name}", file.read_bytes())
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("here")


def start(service, folder, *command):
    environment = {**os.environ, **service.variables, "PYTHONPATH": str(ROOT)}
    return forks.Fork([sys.executable, *command], folder, environment)


def settings(*given):
    return [argument for setting in (*FEW, *given) for argument in ("--set", setting)]


def run(service, folder):
    given = ("trainer.model=mf", "trainer.epochs=12", "trainer.patience=0")
    given += ("trainer.validation_protocol=full", "gate.protocol=full")
    given += ("trainer.export_tflite=true", "gate.must_beat_popularity=false")
    places = ["--data", f"{BUCKET}/data", "--output", f"{BUCKET}/run"]
    return start(service, folder, ROOT / "local_runner.py", *places, *settings(*given))


def has_state(service):
    return any(
        name.endswith("/state.json") for name in service.numbers(f"{BUCKET}/run/checkpoints")
    )


@pytest.fixture(scope="module")
def pushed(service, folder):
    killed = run(service, folder)
    while not has_state(service):
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    process = run(service, folder)
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    return out


@pytest.fixture(scope="module")
def summary(service, pushed):
    return json.loads(service.get(f"{BUCKET}/run/summary.json"))


def test_a_killed_run_goes_on_from_what_lies_in_the_bucket(service, summary):
    ran = {c["name"] for c in summary["components"] if not c["cached"]}
    assert ran == {"RecommenderTrainer", "Evaluator", "Pusher"}
    assert summary["training"]["resumed_epochs"] > 0
    # The states of a finished training are of no more use.
    assert not service.numbers(f"{BUCKET}/run/checkpoints")


def test_what_is_read_and_written_is_in_the_bucket_and_the_rest_is_here(folder, summary, pushed):
    assert summary["run"]["data"] == f"{BUCKET}/data"
    assert summary["run"]["output"] == f"{BUCKET}/run"
    assert summary["pushed_model"].startswith(f"{BUCKET}/run/serving/")
    here = folder / "output" / "gs" / "films" / "ml" / "run"
    assert [path.name for path in folder.iterdir()] == ["output"]
    assert {path.name for path in here.iterdir()} == {".lock", "logs", "metadata.sqlite"}
    assert f"summary {BUCKET}/run/summary.json" in pushed
    # It was loaded from there and asked.
    assert pushed.count("for user ") == 2


@pytest.mark.parametrize("folder_of", ["served", "trained"])
def test_the_graph_is_the_last_file_of_a_model_to_appear(service, summary, folder_of):
    trained = f"{BUCKET}/run/artifacts/RecommenderTrainer/model"
    # The killed attempt left nothing there.
    (version,) = {name.split("/")[0] for name in service.numbers(trained)}
    places = {"served": summary["pushed_model"], "trained": f"{trained}/{version}/Format-Serving"}
    numbers = service.numbers(places[folder_of])
    assert set(numbers) > {"variables/variables.index", "assets.extra/tflite/model.tflite"}
    assert max(numbers, key=numbers.get) == "saved_model.pb"


def test_the_served_model_is_evaluated_where_it_lies(service, folder, pushed):
    places = ["--data", f"{BUCKET}/data", "--output", f"{BUCKET}/figures"]
    ranks = f"{BUCKET}/figures/ranks.csv"
    command = ["-m", "pipeline.cli.evaluate", f"{BUCKET}/run/serving", *places, "--ranks", ranks]
    command += settings()
    process = start(service, folder, *command)
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert set(service.numbers(f"{BUCKET}/figures")) == {"metrics.json", "ranks.csv"}
    rows = list(csv.DictReader(io.StringIO(service.get(ranks).decode())))
    hits = sum(int(row["full_greater"]) < 10 for row in rows) / len(rows)
    written = json.loads(service.get(f"{BUCKET}/figures/metrics.json"))
    assert written["metrics"][0]["count"] == len(rows) == USERS
    # Scores that are equal would make the first a little more than the second.
    found = written["metrics"][0]["metrics"]["hr@10_full"]["value"]
    assert found == pytest.approx(hits, abs=0.02)
