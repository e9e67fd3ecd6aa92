"""The Evaluator component with its real executor, TFMA, metrics and gate."""

import os

import numpy as np
import pytest
from tfx.types import standard_artifacts

from components.evaluator import executor
from components.evaluator.gate import run_gate
from components.evaluator.gate.baseline import Baseline
from components.evaluator.gate.config import GateConfig, SliceFloors
from components.evaluator.gate.result_files import read_metrics
from schema.settings import to_dict
from trainer.config.evaluation import EvaluationConfig

pytestmark = pytest.mark.slow

FAIR = GateConfig(slices=SliceFloors(max_drop=0.1, min_users=15))


@pytest.fixture(scope="module")
def first(evaluate):
    return evaluate("good")


def test_a_good_model_is_blessed_on_a_first_run(first):
    assert first.blessed
    assert os.listdir(first.blessing.uri) == ["BLESSED"]
    found = run_gate.read(first.uri)
    assert (found["blessed"], found["passed"], found["forced"]) == (True, True, None)
    assert (found["reasons"], found["notes"], found["baseline_model"]) == ([], [], None)
    assert {rule["rule"]: rule["verdict"] for rule in found["rules"]} == {
        "evaluation": "passed",
        "gate.must_beat_popularity": "passed",
        "gate.max_drop": "skipped",
    }


def test_a_blessing_says_which_model_and_under_which_settings(first, models):
    assert first.blessing.get_string_custom_property("current_model") == str(models / "good")
    assert first.blessing.get_int_custom_property("current_model_id") == 12
    settings = first.blessing.get_string_custom_property("evaluation")
    assert '"protocols": {"full": ' in settings
    assert not first.blessing.has_custom_property("force_bless")


@pytest.fixture(scope="module")
def degraded(evaluate):
    """A trained model whose item vectors were replaced by random ones, blessed by force."""
    return evaluate("random", "good", force="the old model is gone")


def test_a_degraded_model_is_refused(degraded):
    found = run_gate.read(degraded.uri)
    assert not found["passed"]
    assert len(found["reasons"]) == 2
    assert "(gate.must_beat_popularity)" in found["reasons"][0]
    assert "gate.max_drop allows 10.0%" in found["reasons"][1]
    (drop,) = [rule for rule in found["rules"] if rule["rule"] == "gate.max_drop"]
    change = read_metrics(degraded.uri)[0].change["ndcg@10_full"]
    assert drop["change"] == pytest.approx(
        {"value": change.value, "lower": change.lower, "upper": change.upper}
    )
    assert drop["change"]["upper"] < 0
    settings = {
        "evaluation": to_dict(EvaluationConfig()),
        "gate": to_dict(GateConfig()),
        "force_bless": None,
    }
    assert not run_gate.run_gate(degraded.uri, settings, Baseline("somewhere"))["blessed"]


def test_a_forced_blessing_keeps_its_reason_and_those_against_it(degraded, models):
    assert degraded.blessed
    assert os.listdir(degraded.blessing.uri) == ["BLESSED"]
    assert run_gate.read(degraded.uri)["forced"] == "the old model is gone"
    properties = degraded.blessing
    assert properties.get_string_custom_property("force_bless") == "the old model is gone"
    assert properties.get_string_custom_property("baseline_model") == str(models / "good")
    assert properties.get_int_custom_property("baseline_model_id") == 11


def test_a_model_good_overall_but_bad_for_one_group_is_refused(evaluate):
    unfair = evaluate("unfair", "middling", gate=FAIR)
    assert not unfair.blessed
    assert os.listdir(unfair.blessing.uri) == ["NOT_BLESSED"]
    overall = read_metrics(unfair.uri)[0]
    assert overall.change["ndcg@10_full"].value > 0
    before, now = 1 / np.log2(3), 1 / np.log2(5)
    assert run_gate.read(unfair.uri)["reasons"] == [
        f"ndcg@10_full of the gender F slice (15 rows) is {now:.4f}, {1 - now / before:.1%} below "
        f"the last blessed model's {before:.4f}; gate.slices.max_drop allows 10.0%."
    ]


def test_a_baseline_of_other_data_and_settings_is_explained_and_can_be_replaced(
    evaluate, degraded, usual
):
    earlier = usual.replace(seed=7)
    blessing = standard_artifacts.ModelBlessing()
    blessing.id = 3
    blessing.set_string_custom_property(
        "evaluation", degraded.blessing.get_string_custom_property("evaluation")
    )
    blessing.set_string_custom_property("force_bless", "a demonstration")
    found = evaluate("good", "earlier", evaluation=earlier, blessing=blessing)
    assert found.blessed
    assert run_gate.read(found.uri)["notes"] == [
        "The last blessed model lacks 2 of the candidate's 30 items; a held-out item among them "
        "ranks last for it.",
        "The last blessed model knows 30 users, the candidate 40; whom a model does not know "
        "it ranks for as an unknown user.",
        "The evaluation settings have changed since the last blessed model was blessed "
        "(evaluation.seed: 42 -> 7); both models are evaluated under the present ones.",
        "The last blessed model was blessed by force: a demonstration",
    ]


def test_a_baseline_without_the_signatures_is_refused_with_the_ways_out(evaluate):
    found = evaluate("good", "foreign")
    assert not found.blessed
    (reason,) = run_gate.read(found.uri)["reasons"]
    assert reason.startswith("The last blessed model cannot be compared with: ")
    assert "foreign" in reason
    assert "signature" in reason
    assert reason.endswith(
        "To bless this one, give --force-bless REASON or set gate.max_drop=null."
    )
    # The candidate itself is measured all the same.
    overall = read_metrics(found.uri)[0]
    assert overall.metrics["ndcg@10_full"].value == 1
    assert overall.baseline == {}


def test_a_baseline_whose_files_cannot_be_read_is_left_out(models, tmp_path):
    (tmp_path / "broken" / "Format-Serving").mkdir(parents=True)
    (tmp_path / "broken" / "Format-Serving" / "saved_model.pb").write_bytes(b"half a mod")
    candidate, baseline = standard_artifacts.Model(), standard_artifacts.Model()
    candidate.uri, baseline.uri = str(models / "good"), str(tmp_path / "broken")
    inputs = {"model": [candidate], "baseline_model": [baseline]}
    loaded, found = executor._load_models(inputs, to_dict(EvaluationConfig()))
    assert [model.shared.model_name for model in loaded] == ["candidate"]
    assert found.model == baseline.uri
    assert found.obstacle.startswith(f"{baseline.uri}: cannot be loaded (")
