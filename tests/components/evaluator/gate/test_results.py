"""TFMA with our metrics and gate, on known ranks, and what is read back.

Ten users times four hold out the items 0 .. 9 of 30; ranking by popularity
puts item j at position j.
"""

import functools

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf

from components.evaluator.eval_config import build_eval_config
from components.evaluator.gate.baseline import Baseline
from components.evaluator.gate.config import GateConfig
from components.evaluator.gate.result_files import read_metrics
from components.evaluator.gate.results import Estimate
from components.evaluator.gate.run_gate import run_gate
from components.evaluator.measuring import measure, shared_model
from schema.settings import to_dict
from tests.support.known_ranks import KnownRanks, protocol_outputs
from tests.support.toy_model import row
from trainer.config.evaluation import EvaluationConfig

USERS, ITEMS = 40, 30
LENGTH = 29
TARGETS = np.arange(USERS) % 10
GAINS = 1 / np.log2(np.arange(10) + 2)
POPULARITY_NDCG = GAINS.mean()
EVALUATION = EvaluationConfig(
    more_k=(3,),
    slices=("gender", "gender*age_group", "age_group", "target_genre"),
    metrics=("hr", "ndcg", "auc", "mean_rank", "coverage", "novelty", "diversity"),
)

pytestmark = pytest.mark.seconds


def known_ranks(position):
    """A model that ranks every target at `position`; None gives all the same score."""
    greater = np.full(USERS, position or 0)
    names = [f"u{user}" for user in range(USERS)]
    ranks = {"user_fingerprint": np.arange(USERS, dtype=np.int64) * 977}
    for protocol in EVALUATION.protocols:
        ranks |= protocol_outputs(protocol, greater, TARGETS, LENGTH)
        if position is None:
            ranks[f"{protocol}_ties"] += LENGTH - 1
    lists = (np.arange(USERS)[:, np.newaxis] + np.arange(10)) % (15 if position == 0 else 30)
    ranks |= {
        "top_item": lists.astype(np.int32),
        "top_share": np.full((USERS, 10), 0.25, np.float32),
        "top_diversity": np.full(USERS, 0.5, np.float32),
        "catalog_size": np.full(USERS, ITEMS, np.int32),
    }
    genres = [["Drama", "War"] if user % 4 == 0 else ["Comedy", ""] for user in range(USERS)]
    ages = ["25-34" if user < 30 else "under 18" for user in range(USERS)]
    genders = [["FM"[user % 2] if user < 35 else ""] for user in range(USERS)]
    columns = {"age_group": np.asarray(ages)[:, np.newaxis], "target_genre": genres}
    return KnownRanks(names, ranks, {**columns, "gender": genders})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    split = folder / "examples" / "Split-test"
    split.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(split / "data.gz"), "GZIP") as writer:
        for user, target in enumerate(TARGETS):
            writer.write(row(f"u{user}", ["i29"], f"i{target}"))
    return folder


POSITIONS = {"good": 0, "middling": 1, "constant": None}


def evaluate(folder, work, candidate, baseline=None, gate=None):
    """Lets TFMA measure known ranks; our verdict's reasons, and where the figures are."""
    models = [
        shared_model(name, model, functools.partial(known_ranks, POSITIONS[model]))
        for name, model in (("candidate", candidate), ("baseline", baseline))
        if model
    ]
    config = build_eval_config(EVALUATION, "digest")
    files = [str(folder / "examples" / "Split-test" / "data.gz")]
    with beam.Pipeline() as pipeline:
        measure(pipeline, files, models, config, str(work / "evaluation"))
    uri = str(work / "evaluation")
    settings = {"evaluation": to_dict(EVALUATION), "gate": to_dict(gate or GateConfig())}
    verdict = run_gate(uri, {**settings, "force_bless": None}, Baseline(baseline))
    return verdict["reasons"], uri


@pytest.fixture(scope="module")
def first_run(folder, tmp_path_factory):
    return evaluate(folder, tmp_path_factory.mktemp("first"), "good")


def test_a_good_model_is_blessed_on_a_first_run(first_run):
    assert first_run[0] == []


def test_figures_of_the_overall_slice(first_run):
    overall = read_metrics(first_run[1])[0]
    assert (overall.feature, overall.value, overall.count) == ("", "", USERS)
    assert overall.metrics["ndcg@10_full"] == Estimate(1.0, 1.0, 1.0)
    popularity = overall.metrics["popularity_ndcg@10_full"]
    assert popularity.value == pytest.approx(POPULARITY_NDCG)
    assert popularity.lower < popularity.value < popularity.upper
    assert overall.metrics["ndcg_lift@10_full"].value == pytest.approx(1 - POPULARITY_NDCG)
    assert overall.metrics["popularity_hr@3_sampled"].value == pytest.approx(0.3)
    assert overall.metrics["auc_full"].value == 1.0
    assert overall.metrics["popularity_auc_full"].value == pytest.approx(1 - 4.5 / 28)
    assert overall.metrics["mean_rank_lift_sampled"].value == pytest.approx(-4.5)
    assert overall.metrics["coverage@10"].value == pytest.approx(15 / ITEMS)
    assert overall.metrics["novelty@3"].value == pytest.approx(2.0)
    assert overall.metrics["diversity@10"].value == pytest.approx(0.5)
    assert overall.baseline == overall.change == {}


def test_every_figure_of_every_slice_has_an_interval(first_run):
    for result in read_metrics(first_run[1]):
        for name, estimate in result.metrics.items():
            assert estimate.lower - 1e-9 <= estimate.value <= estimate.upper + 1e-9, name


def test_slices_and_crosses_in_the_order_in_which_they_were_asked_for(first_run):
    found = [(r.feature, r.value, r.count) for r in read_metrics(first_run[1])[1:]]
    # Gender is missing for five users; the rows of two genres count in both.
    assert found == [
        ("gender", "F", 18),
        ("gender", "M", 17),
        ("gender*age_group", "F*under 18", 3),
        ("gender*age_group", "F*25-34", 15),
        ("gender*age_group", "M*under 18", 2),
        ("gender*age_group", "M*25-34", 15),
        ("age_group", "under 18", 10),
        ("age_group", "25-34", 30),
        ("target_genre", "Comedy", 30),
        ("target_genre", "Drama", 10),
        ("target_genre", "War", 10),
    ]
    women = read_metrics(first_run[1])[1]
    assert women.metrics["popularity_ndcg@10_full"].value == pytest.approx(
        np.mean([GAINS[TARGETS[user]] for user in range(0, 35, 2)])
    )


def test_a_model_no_better_than_popularity_is_refused(folder, tmp_path):
    reasons, _ = evaluate(folder, tmp_path, "constant", gate=GateConfig(min_hr=0.5))
    # The target and the 28 others are alike: position 0 to 28, each as likely.
    chance, hits = GAINS.sum() / 29, 10 / 29
    assert reasons == [
        f"hr@10_full of the overall slice is {hits:.4f}, below the required 0.5000 (gate.min_hr).",
        f"ndcg@10_full of the overall slice is {chance:.4f}, not above popularity's "
        f"{POPULARITY_NDCG:.4f} (gate.must_beat_popularity).",
    ]


def test_a_model_worse_than_the_last_blessed_is_refused(folder, tmp_path):
    reasons, evaluation = evaluate(folder, tmp_path, "middling", baseline="good")
    second = 1 / np.log2(3)
    assert reasons == [
        f"ndcg@10_full of the overall slice is {second:.4f}, {1 - second:.1%} below the last "
        "blessed model's 1.0000; gate.max_drop allows 10.0%."
    ]
    overall = read_metrics(evaluation)[0]
    change = overall.change["ndcg@10_full"]
    # Every user loses alike, so a paired interval has no width.
    assert change.value == pytest.approx(second - 1)
    assert change.lower == pytest.approx(change.upper)
    assert overall.baseline["ndcg@10_full"].value == 1.0
    assert overall.change["coverage@10"].value == pytest.approx(0.5)


def test_a_model_better_than_the_last_blessed_is_blessed(folder, tmp_path):
    assert evaluate(folder, tmp_path, "good", baseline="constant")[0] == []
