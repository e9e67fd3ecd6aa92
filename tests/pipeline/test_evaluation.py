"""The stock Evaluator with our models, metrics and gate, and what is read back.

Ten users times four hold out the items 0 .. 9 of 30; ranking by popularity
puts item j at position j. Item codes are unit vectors, so a model's user codes
are its scores.
"""

import json

import numpy as np
import pytest
import tensorflow as tf
from tfx.components.evaluator.executor import Executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils
from toy_model import make_serving, row

from pipeline.eval_config import GateConfig, build_eval_config
from pipeline.evaluation import Estimate, read_metrics, read_refusals
from trainer import judging
from trainer.evaluation_config import EvaluationConfig
from trainer.export import export

USERS, ITEMS, SEEN = 40, 30, 29
TARGETS = np.arange(USERS) % 10
COUNTS = np.arange(ITEMS, 0, -1)
GAINS = 1 / np.log2(np.arange(10) + 2)
POPULARITY_NDCG = GAINS.mean()


def scores(position):
    """Scores that put every user's target at `position`, or all alike for None."""
    if position is None:
        return np.zeros((USERS, ITEMS))
    others = np.tile(-np.arange(ITEMS, dtype=float), (USERS, 1))
    for user, target in enumerate(TARGETS):
        rest = [item for item in range(ITEMS) if item != target]
        others[user, rest] = -np.arange(ITEMS - 1)
        others[user, target] = 0.5 - position
    return others


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    # The models were trained on data of differing popularity.
    for name, position, counts in (
        ("good", 0, COUNTS),
        ("middling", 1, COUNTS),
        ("constant", None, COUNTS),
        ("old", 0, np.roll(COUNTS, 15)),
    ):
        serving = make_serving(scores(position), np.eye(ITEMS), counts, [[SEEN]] * USERS)
        export(serving, str(folder / "exported" / name))
        judged = str(folder / name / "Format-Serving")
        judging.wrap(str(folder / "exported" / name), EvaluationConfig(), judged)
    split = folder / "examples" / "Split-test"
    split.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(split / "data.gz"), "GZIP") as writer:
        for user, target in enumerate(TARGETS):
            known = {"gender": "FM"[user % 2], "age": 30} if user < 30 else {}
            writer.write(row(f"u{user}", [f"i{SEEN}"], f"i{target}", **known))
    return folder


def artifact(cls, path):
    made = cls()
    made.uri, made.id = str(path), 1
    return made


def evaluate(folder, work, candidate, baseline=None, gate=None):
    """Runs the stock executor; whether it blessed, and where the evaluation is."""
    examples = artifact(standard_artifacts.Examples, folder / "examples")
    examples.split_names = artifact_utils.encode_split_names(["test"])
    inputs = {
        "examples": [examples],
        "model": [artifact(standard_artifacts.Model, folder / candidate)],
    }
    if baseline:
        inputs["baseline_model"] = [artifact(standard_artifacts.Model, folder / baseline)]
    blessing = artifact(standard_artifacts.ModelBlessing, work / "blessing")
    outputs = {
        "evaluation": [artifact(standard_artifacts.ModelEvaluation, work / "evaluation")],
        "blessing": [blessing],
    }
    config = build_eval_config(EvaluationConfig(), gate or GateConfig(), "digest")
    Executor(Executor.Context(beam_pipeline_args=[], tmp_dir=str(work / "tmp"))).Do(
        inputs,
        outputs,
        {
            "eval_config": proto_utils.proto_to_json(config),
            "example_splits": json.dumps(["test"]),
            "fairness_indicator_thresholds": "null",
        },
    )
    return blessing.get_int_custom_property("blessed") == 1, str(work / "evaluation")


@pytest.fixture(scope="module")
def first_run(folder, tmp_path_factory):
    return evaluate(folder, tmp_path_factory.mktemp("first"), "good")


def test_a_good_model_is_blessed_on_a_first_run(first_run):
    blessed, evaluation = first_run
    assert blessed
    assert read_refusals(evaluation) == []


def test_figures_of_the_overall_slice(first_run):
    overall = read_metrics(first_run[1])[0]
    assert (overall.feature, overall.value, overall.count) == ("", "", USERS)
    assert overall.metrics["ndcg@10_full"] == Estimate(1.0, 1.0, 1.0)
    popularity = overall.metrics["popularity_ndcg@10_full"]
    assert popularity.value == pytest.approx(POPULARITY_NDCG)
    assert popularity.lower < popularity.value < popularity.upper
    lift = overall.metrics["ndcg_lift@10_full"]
    assert lift.value == pytest.approx(1 - POPULARITY_NDCG)
    assert overall.metrics["popularity_hr@10_full"].value == 1.0
    # All 28 unseen items stand beside the target: fewer than the 99 asked for.
    assert overall.metrics["popularity_ndcg@10_sampled"] == popularity
    assert overall.baseline == overall.change == {}


def test_figures_of_slices(first_run):
    found = [(r.feature, r.value, r.count) for r in read_metrics(first_run[1])[1:]]
    # Gender and age are missing for ten users, occupation for all.
    assert found == [
        ("gender", "F", 15),
        ("gender", "M", 15),
        ("age_group", "25-34", 30),
        ("age_group", "unknown", 10),
        ("activity", "1-19 interactions", 40),
        ("target_popularity", "top 1 %", 4),
        ("target_popularity", "top 1-10 %", 8),
        ("target_popularity", "top 10-50 %", 28),
    ]
    women = read_metrics(first_run[1])[1]
    assert women.metrics["popularity_ndcg@10_full"].value == pytest.approx(
        np.mean([GAINS[TARGETS[user]] for user in range(0, 30, 2)])
    )


def test_a_model_no_better_than_popularity_is_refused(folder, tmp_path):
    blessed, evaluation = evaluate(folder, tmp_path, "constant", gate=GateConfig(min_hr=0.5))
    assert not blessed
    # The target and the 28 others are alike: position 0 to 28, each as likely.
    chance, hits = GAINS.sum() / 29, 10 / 29
    assert sorted(read_refusals(evaluation)) == [
        f"hr@10_full of the overall slice is {hits:.4f}, below the required 0.5000 (gate.min_hr).",
        f"ndcg@10_full of the overall slice is {chance:.4f}, not above popularity's "
        f"{POPULARITY_NDCG:.4f} (gate.must_beat_popularity).",
    ]


def test_a_model_worse_than_the_last_blessed_is_refused(folder, tmp_path):
    blessed, evaluation = evaluate(folder, tmp_path, "middling", baseline="old")
    assert not blessed
    second = 1 / np.log2(3)
    assert read_refusals(evaluation) == [
        f"ndcg@10_full of the overall slice is {second:.4f}, {1 - second:.1%} below the last "
        "blessed model's 1.0000; gate.max_drop allows 10.0%."
    ]
    results = read_metrics(evaluation)
    change = results[0].change["ndcg@10_full"]
    # Every user loses alike, so a paired interval has no width.
    assert change.value == pytest.approx(second - 1)
    assert change.lower == pytest.approx(change.upper)
    assert results[0].baseline["ndcg@10_full"].value == 1.0
    # Both models name the popularity of the targets, differently.
    by_popularity = [r.count for r in results if r.feature == "target_popularity"]
    assert by_popularity == [4, 8, 28]


def test_a_model_better_than_the_last_blessed_is_blessed(folder, tmp_path):
    blessed, evaluation = evaluate(folder, tmp_path, "good", baseline="constant")
    assert blessed
    assert read_refusals(evaluation) == []
