"""The whole pipeline on planted data: pushed, reused, rerun in part, refused, killed."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from pipeline.cli import lineage
from tests.support import forks, synthetic

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Enough training on so little data to find the planted groups.
TRAINED = ("trainer.epochs=20", "trainer.learning_rate=0.01", "trainer.batch_size=512")
# Where the figures are not looked at.
FEW = ("evaluation.slices=[]", "evaluation.metrics=[hr, ndcg]")
NODES_BEFORE_TRAINER = {
    *("InteractionsExampleGen", "CatalogExampleGen", "InteractionsSchema", "CatalogSchema"),
    *("InteractionsStatistics", "CatalogStatistics", "InteractionsValidator", "CatalogValidator"),
    "Transform",
}
NODES = NODES_BEFORE_TRAINER | {"RecommenderTrainer", "Evaluator", "Pusher"}

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class Workplace:
    """One output folder and the runs in it."""

    def __init__(self, folder):
        self.output = folder / "out"
        self.data = self.write(users=120, items=60)

    def write(self, **sizes):
        """Writes the raw files, over those that were there."""
        return synthetic.write(self.output.parent / "data", "ml-100k", **sizes)

    def command(self, *settings, force=None, sources=ROOT):
        forced = [f"--force-bless={force}"] if force else []
        arguments = forced + [a for setting in (*TRAINED, *settings) for a in ("--set", setting)]
        paths = [f"--data={self.data.folder}", f"--output={self.output}"]
        return [sys.executable, str(sources / "local_runner.py"), *paths, *arguments]

    def run(self, *settings, force=None, sources=ROOT, start=forks.run):
        result = start(self.command(*settings, force=force, sources=sources), sources)
        assert "Traceback" not in result.stdout + result.stderr, result.stderr
        return result

    def summary(self):
        return json.loads((self.output / "summary.json").read_text())

    def ran(self):
        """Components that did not come from the cache."""
        return {c["name"] for c in self.summary()["components"] if not c["cached"]}

    def versions(self):
        return sorted(os.listdir(self.output / "serving"))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return Workplace(tmp_path_factory.mktemp("e2e"))


def as_users_do(command, cwd):
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def first(workplace):
    result = workplace.run(start=as_users_do)
    assert result.returncode == 0, result.stdout + result.stderr
    # Later runs replace the file.
    workplace.cold = workplace.summary()
    return result


def test_a_first_run_pushes_a_model_and_shows_what_it_recommends(workplace, first):
    summary = workplace.summary()
    assert workplace.versions() == [os.path.basename(summary["pushed_model"])]
    assert summary["pushed_model"] in first.stdout
    origin = pathlib.Path(summary["pushed_model"], "assets.extra", "origin.json")
    assert json.loads(origin.read_text()) == {"pipeline": "movielens-data"}
    assert "slices, protocol full" in first.stdout
    for phase in ("writing the model", "ranking and measuring", "intervals and gate"):
        assert phase in first.stderr
    shown = [line for line in first.stdout.splitlines() if line.startswith("for user ")]
    assert len(shown) == 2
    titles = {item.full_title for item in workplace.data.items}
    for line in shown:
        user, _, listed = line.removeprefix("for user ").partition(": ")
        recommended = listed.split("; ")
        assert len(recommended) == 5
        assert set(recommended) <= titles
        # The newest of a user's interactions is the target, the others are seen.
        seen = set(workplace.data.history(user)[:-1])
        assert not {i.full_title for i in workplace.data.items if i.item_id in seen} & set(
            recommended
        )


def test_the_summary_is_complete(workplace, first):
    summary = workplace.summary()
    data = workplace.data
    assert summary["summary_version"] == 1
    assert summary["configuration"]["trainer"]["epochs"] == 20
    assert summary["data"]["interactions"]["users"] == len(data.users)
    assert summary["data"]["interactions"]["interactions"] == len(data.interactions)
    assert summary["data"]["catalog"]["items"] == len(data.items)
    assert {c["name"] for c in summary["components"]} == NODES
    assert all(c["seconds"] > 0 for c in summary["components"])
    assert summary["training"]["examples"] > 0
    assert summary["training"]["examples_per_second"] > 0
    overall = summary["metrics"][0]
    assert (overall["feature"], overall["count"]) == ("", len(data.users))
    for protocol in ("full", "sampled"):
        own = overall["metrics"][f"ndcg@10_{protocol}"]
        assert own["lower"] <= own["value"] <= own["upper"]
        assert own["value"] > overall["metrics"][f"popularity_ndcg@10_{protocol}"]["value"]
    sliced = {result["feature"] for result in summary["metrics"]}
    assert sliced == {"", *summary["configuration"]["evaluation"]["slices"]}
    gate = summary["gate"]
    assert gate["blessed"] is gate["passed"] is True
    assert (gate["reasons"], gate["notes"]) == ([], [])
    assert (gate["forced"], gate["baseline_model"]) == (None, None)
    assert {rule["rule"] for rule in gate["rules"]} == {
        "evaluation",
        "gate.must_beat_popularity",
        "gate.max_drop",
    }
    assert summary["versions"]["tensorflow"]
    assert pathlib.Path(summary["run"]["log"]).exists()


def test_an_unchanged_second_run_reuses_every_component(workplace, first):
    before = workplace.summary()
    second = workplace.run()
    assert second.returncode == 0
    assert workplace.ran() == set()
    after = workplace.summary()
    assert after["pushed_model"] == before["pushed_model"]
    assert after["metrics"] == before["metrics"]


def test_the_lineage_of_a_model_goes_down_to_the_raw_files(workplace, first, capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["movielens-lineage"])
    (version,) = workplace.versions()
    assert lineage.main([str(workplace.output / "serving" / version), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    summary = workplace.summary()
    assert told["model"]["pushed_model"] == summary["pushed_model"]
    # The second run, whose summary this is, had everything cached.
    assert told["model"]["reused_by"] == [summary["run"]["id"]]
    for key in ("configuration", "metrics", "gate"):
        assert told[key] == summary[key]
    interactions = next(d for d in told["data"] if d["component"] == "InteractionsExampleGen")
    assert interactions["counts"] == summary["data"]["interactions"]
    for file in interactions["files"]:
        size = os.path.getsize(file["path"])
        assert f"num_files:1,total_bytes:{size}," in file["fingerprint"]
    traced = (
        NODES
        - {
            f"{data}{check}"
            for data in ("Interactions", "Catalog")
            for check in ("Statistics", "Validator")
        }
        - {"CatalogSchema"}
    )
    assert {step["component"] for step in told["steps"]} == traced
    assert {code["component"] for code in told["code"]} == traced
    assert all(len(code["digest"]) == 64 and code["same_here"] for code in told["code"])
    assert not any(step["cached"] for step in told["steps"])


def test_a_changed_gate_reruns_the_evaluator_and_refuses(workplace, first):
    refused = workplace.run("gate.min_hr=1.0", *FEW)
    assert refused.returncode == 3
    assert workplace.ran() == {"Evaluator", "Pusher"}
    summary = workplace.summary()
    assert summary["pushed_model"] is None
    assert not summary["gate"]["blessed"]
    (reason,) = summary["gate"]["reasons"]
    assert "gate.min_hr" in reason
    assert reason in " ".join(refused.stdout.split())
    assert len(workplace.versions()) == 1


def test_a_forced_blessing_pushes_with_its_reason_and_is_not_reused_without_it(workplace, first):
    pushed = workplace.versions()
    forced = workplace.run("gate.min_hr=1.0", *FEW, force="a demonstration")
    assert forced.returncode == 0, forced.stdout
    assert workplace.ran() == {"Evaluator", "Pusher"}
    assert "blessed by force (a demonstration), although:" in forced.stdout
    gate = workplace.summary()["gate"]
    assert (gate["blessed"], gate["passed"], gate["forced"]) == (True, False, "a demonstration")
    (reason,) = gate["reasons"]
    assert reason in " ".join(forced.stdout.split())
    assert len(workplace.versions()) == len(pushed) + 1
    again = workplace.run("gate.min_hr=1.0", *FEW)
    assert again.returncode == 3
    assert workplace.ran() == set()
    assert workplace.summary()["gate"]["forced"] is None


RETRAINED = ("trainer.seed=7", "gate.max_drop=1.0", *FEW)


def test_a_changed_training_reruns_from_there_and_meets_the_blessed_model(workplace, first):
    pushed = workplace.versions()
    changed = workplace.run(*RETRAINED)
    assert changed.returncode == 0, changed.stdout
    assert workplace.ran() == NODES - NODES_BEFORE_TRAINER
    assert workplace.summary()["gate"]["baseline_model"]
    assert len(workplace.versions()) == len(pushed) + 1


def test_an_edit_of_the_ranking_evaluates_anew_and_reuses_the_trainer(workplace, first, tmp_path):
    for name in ("components", "pipeline", "schema", "trainer", "transform"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "local_runner.py", tmp_path)
    ranking = tmp_path / "components/evaluator/ranking/slices.py"
    ranking.write_text(ranking.read_text() + "\n# An edit.\n")
    # All but the sources is as in the run before; a process that is forked may
    # hold modules of this tree already.
    result = workplace.run(*RETRAINED, sources=tmp_path, start=as_users_do)
    assert result.returncode == 0, result.stdout
    assert workplace.ran() == {"Evaluator", "Pusher"}


# A training that is killed goes on in test_storage.py.
UNTRAINED = ("trainer.model=popularity", "gate.must_beat_popularity=false", *FEW)


def _kill_in(workplace, component):
    process = forks.Fork(workplace.command(*UNTRAINED), ROOT)
    for line in process.lines():
        if line.split()[:2] == [component, "running"]:
            process.kill()
    assert process.wait() == -signal.SIGKILL, component
    assert not (workplace.output / "summary.json").exists()


def test_a_run_killed_again_and_again_ends_well_when_started_once_more(tmp_path):
    workplace = Workplace(tmp_path)
    for component in ("Transform", "Evaluator"):
        _kill_in(workplace, component)
    last = workplace.run(*UNTRAINED)
    assert last.returncode == 0, last.stdout
    assert "RecommenderTrainer" not in workplace.ran()
    (version,) = workplace.versions()
    _removals(workplace, version)


def _removals(workplace, version):
    """What the operator takes back stays so; what a cleaned-up disk lost is made again."""
    before = workplace.summary()["metrics"]
    shutil.rmtree(workplace.output / "serving" / version)
    left = workplace.run(*UNTRAINED)
    assert (left.returncode, workplace.ran(), workplace.versions()) == (0, set(), [])
    assert workplace.summary()["pushed_model_removed"]
    assert f"serving/{version}, where this model was pushed, so it is not served" in left.stdout
    (lost,) = (workplace.output / "artifacts" / "Evaluator" / "evaluation").glob("*/gate.json")
    lost.unlink()
    again = workplace.run(*UNTRAINED)
    assert f"{lost.parent} lost gate.json, so it is not reused" in again.stdout
    assert (again.returncode, workplace.ran()) == (0, {"Evaluator", "Pusher"})
    assert workplace.summary()["metrics"] == before
    assert len(workplace.versions()) == 1


def test_a_warm_start_on_grown_data_counts_what_it_carried_over(workplace, first):
    workplace.write(users=128, items=63)
    second = workplace.run("trainer.warm_start=true", "gate.max_drop=null", *FEW)
    assert second.returncode == 0, second.stdout
    summary = workplace.summary()
    start = summary["training"]["warm_start"]
    assert start["rows"]["user_id"] == {"carried": 120, "new": 8, "dropped": 0}
    assert start["rows"]["item_id"]["carried"] + start["rows"]["item_id"]["new"] <= 63
    assert start["rows"]["item_id"]["carried"] > 50
    base = str(pathlib.Path(start["base_model"]).parent)
    assert base == summary["gate"]["baseline_model"]
    assert f"warm start from {start['base_model']}: item_id " in second.stdout
    assert {c["name"] for c in summary["components"]} == NODES
    # The planted groups are known before the first epoch.
    initial, reached = (
        run["training"][name]["ndcg"]
        for run, name in ((summary, "initial_validation"), (workplace.cold, "best_validation"))
    )
    assert initial > 0.6 * reached
