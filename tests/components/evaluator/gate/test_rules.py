"""Every rule of the gate, on figures made up for it."""

import math

import pytest

from components.evaluator.gate.baseline import Baseline
from components.evaluator.gate.config import GateConfig, SliceFloors
from components.evaluator.gate.results import Estimate, SliceResult
from components.evaluator.gate.rules import FAILED, PASSED, SKIPPED, decide

NAN = math.nan
BASELINE = Baseline(model="models/7")
QUIET = {"must_beat_popularity": False, "max_drop": None}


def estimate(value, reach=0.01):
    return Estimate(value, value - reach, value + reach)


def result(ndcg, baseline=None, *, feature="", value="", count=1000, reach=0.01, **metrics):
    """A slice in which the candidate has `ndcg`, the last blessed model `baseline`."""
    name = "ndcg@10_full"
    figures = {name: ndcg, "hr@10_full": 2 * ndcg, "popularity_ndcg@10_full": 0.05}
    figures |= {"ndcg_lift@10_full": ndcg - 0.05, **metrics}
    compared = baseline is not None
    return SliceResult(
        feature=feature,
        value=value,
        count=count,
        metrics={key: estimate(figure) for key, figure in figures.items() if figure is not None},
        baseline={name: estimate(baseline)} if compared else {},
        change={name: estimate(ndcg - baseline, reach)} if compared else {},
    )


def verdicts(results, gate, baseline=BASELINE):
    return {f.rule: f.verdict for f in decide(results, gate, 10, baseline)}


def refusals(results, gate, baseline=BASELINE):
    return [f.reason for f in decide(results, gate, 10, baseline) if f.verdict == FAILED]


@pytest.mark.parametrize(
    ("rules", "below", "sentence"),
    [
        (
            {"min_hr": 0.2},
            0.099,
            "hr@10_full of the overall slice is 0.1980, below the required 0.2000 (gate.min_hr).",
        ),
        (
            {"min_ndcg": 0.1},
            0.099,
            "ndcg@10_full of the overall slice is 0.0990, below the required 0.1000 "
            "(gate.min_ndcg).",
        ),
        (
            {"must_beat_popularity": True},
            0.05,
            "ndcg@10_full of the overall slice is 0.0500, not above popularity's 0.0500 "
            "(gate.must_beat_popularity).",
        ),
        (
            {"max_drop": 0.1},
            0.0899,
            "ndcg@10_full of the overall slice is 0.0899, 10.1% below the last blessed model's "
            "0.1000; gate.max_drop allows 10.0%.",
        ),
        (
            {"max_drop_absolute": 0.01},
            0.0899,
            "ndcg@10_full of the overall slice is 0.0899, 0.0101 below the last blessed model's "
            "0.1000; gate.max_drop_absolute allows 0.0100.",
        ),
        (
            {"significance": True},
            0.0899,
            "ndcg@10_full of the overall slice is 0.0899, significantly below the last blessed "
            "model's 0.1000: the 95 % interval of the difference is -0.0201 to -0.0001 "
            "(gate.significance).",
        ),
    ],
)
def test_a_rule_of_the_overall_slice(rules, below, sentence):
    gate = GateConfig(**{**QUIET, **rules})
    assert refusals([result(below, 0.1)], gate) == [sentence]
    assert refusals([result(0.1001, 0.1)], gate) == []
    # Switched off, the same figures pass.
    assert refusals([result(below, 0.1)], GateConfig(**QUIET)) == []


def test_the_rules_look_at_the_figures_of_their_protocol_and_cut_off():
    gate = GateConfig(protocol="sampled", min_hr=0.6, min_ndcg=0.4, max_drop=0.1)
    good = {"hr@5_sampled": 0.6, "ndcg@5_sampled": 0.4, "ndcg_lift@5_sampled": 0.1}

    def found(**changed):
        figures = {name: estimate(value) for name, value in {**good, **changed}.items()}
        before = {"ndcg@5_sampled": estimate(0.4)}
        change = {"ndcg@5_sampled": estimate(figures["ndcg@5_sampled"].value - 0.4)}
        overall = SliceResult("", "", 1000, figures, before, change)
        findings = decide([overall], gate, 5, BASELINE)
        return {(f.rule, f.metric) for f in findings if f.verdict == FAILED}

    figures = {"popularity_ndcg@5_sampled": 0.3}
    assert found(**figures) == set()
    assert found(**figures, **{"hr@5_sampled": 0.59}) == {("gate.min_hr", "hr@5_sampled")}
    assert found(**figures, **{"ndcg@5_sampled": 0.35}) == {
        ("gate.min_ndcg", "ndcg@5_sampled"),
        ("gate.max_drop", "ndcg@5_sampled"),
    }
    assert found(**figures, **{"ndcg_lift@5_sampled": 0.0}) == {
        ("gate.must_beat_popularity", "ndcg@5_sampled")
    }


def test_a_rule_of_the_overall_slice_does_not_look_at_groups():
    gate = GateConfig(min_hr=0.1, min_ndcg=0.1, max_drop=0.1, max_drop_absolute=0.01)
    bad = result(0.0, 0.2, feature="gender", value="F")
    assert refusals([result(0.2, 0.2), bad], gate) == []


@pytest.mark.parametrize(("lift", "good"), [(0.0, False), (1e-17, False), (1e-4, True)])
def test_what_equals_popularity_but_for_rounding_does_not_beat_it(lift, good):
    rows = [result(0.1, **{"ndcg_lift@10_full": lift})]
    gate = GateConfig(max_drop=None)
    assert (refusals(rows, gate) == []) == good


@pytest.mark.parametrize("drop", [None, 0.5])
def test_the_model_without_any_figure_above_0_passes_a_gate_that_asks_for_nothing(drop):
    gate = GateConfig(must_beat_popularity=False, max_drop=drop)
    assert refusals([result(0.0)], gate, Baseline()) == []


def test_a_bound_on_the_error_of_ratings():
    gate = GateConfig(**QUIET, max_rmse=0.9)
    assert refusals([result(0.1, rmse=0.9)], gate) == []
    assert refusals([result(0.1, rmse=0.91)], gate) == [
        "rmse of the overall slice is 0.9100, above the allowed 0.9000 (gate.max_rmse)."
    ]


def test_significance_looks_at_the_interval_and_not_at_the_size_of_a_loss():
    gate = GateConfig(**QUIET, significance=True)
    assert refusals([result(0.05, 0.1, reach=0.051)], gate) == []
    assert len(refusals([result(0.099, 0.1, reach=0.0005)], gate)) == 1


FLOORS = GateConfig(**QUIET, slices=SliceFloors(max_drop=0.1, min_users=50))
GOOD = result(0.2, 0.1)


def women(*figures, **others):
    return result(*figures, feature="gender", value="F", **others)


def test_a_group_that_loses_too_much_is_named_with_its_size():
    assert refusals([GOOD, women(0.08, 0.1, count=50)], FLOORS) == [
        "ndcg@10_full of the gender F slice (50 rows) is 0.0800, 20.0% below the last blessed "
        "model's 0.1000; gate.slices.max_drop allows 10.0%."
    ]
    assert refusals([GOOD, women(0.095, 0.1, count=50)], FLOORS) == []
    assert refusals([GOOD, women(0.08, 0.1, count=50)], GateConfig(**QUIET)) == []


def test_a_small_group_never_gates_unless_asked():
    small = [GOOD, women(0.0, 0.1, count=49)]
    (floor,) = [f for f in decide(small, FLOORS, 10, BASELINE) if f.feature]
    assert (floor.verdict, floor.count) == (SKIPPED, 49)
    assert floor.reason == "fewer than 50 rows (gate.slices.min_users)"
    asked = GateConfig(**QUIET, slices=SliceFloors(max_drop=0.1, min_users=49))
    assert len(refusals(small, asked)) == 1


def test_a_drop_within_the_noise_can_be_let_through():
    gate = GateConfig(**QUIET, slices=SliceFloors(max_drop=0.1, only_significant=True))
    assert refusals([GOOD, women(0.08, 0.1, reach=0.03)], gate) == []
    assert len(refusals([GOOD, women(0.08, 0.1, reach=0.01)], gate)) == 1
    # Floors still apply to what is significant: a small sure loss is allowed.
    assert refusals([GOOD, women(0.095, 0.1, reach=0.001)], gate) == []


EVERYTHING = GateConfig(
    min_hr=0.0,
    min_ndcg=0.0,
    max_drop=0.1,
    max_drop_absolute=0.1,
    significance=True,
    slices=SliceFloors(max_drop=0.1),
)
COMPARING = {"gate.max_drop", "gate.max_drop_absolute", "gate.significance", "gate.slices.max_drop"}


def test_a_first_run_skips_what_compares_and_applies_the_rest():
    found = verdicts([result(0.1)], EVERYTHING, Baseline())
    assert {rule for rule, verdict in found.items() if verdict == SKIPPED} == COMPARING
    assert {rule for rule, verdict in found.items() if verdict == PASSED} == {
        "evaluation",
        "gate.min_hr",
        "gate.min_ndcg",
        "gate.must_beat_popularity",
    }
    assert len(refusals([result(0.04)], EVERYTHING, Baseline())) == 1


def test_a_baseline_that_cannot_be_evaluated_is_no_silent_pass():
    baseline = Baseline(
        model="models/7", obstacle="models/7: the model lacks the signature scores."
    )
    gate = GateConfig(significance=True)
    assert refusals([result(0.1)], gate, baseline) == [
        "The last blessed model cannot be compared with: models/7: the model lacks the signature "
        "scores. To bless this one, give --force-bless REASON or set gate.max_drop=null and "
        "gate.significance=false."
    ]
    # Who compares nothing loses nothing by it.
    assert refusals([result(0.1)], GateConfig(max_drop=None), baseline) == []


def test_nothing_can_be_lost_where_the_baseline_had_nothing():
    rows = [result(0.0, 0.0), women(0.0, 0.0)]
    gate = GateConfig(
        must_beat_popularity=False,
        max_drop=0.0,
        max_drop_absolute=1e-6,
        slices=SliceFloors(max_drop=0.0),
    )
    assert refusals(rows, gate) == []
    assert refusals([result(0.1, 0.0), women(0.1, 0.0)], gate) == []


@pytest.mark.parametrize("baseline", [0.1, 0.0, NAN])
def test_a_candidate_without_figures_meets_no_rule(baseline):
    rows = [result(NAN, baseline), women(NAN, baseline)]
    found = verdicts(rows, EVERYTHING)
    assert set(found.values()) == {FAILED}
    assert (
        "ndcg@10_full of the overall slice was not measured, so gate.max_drop cannot be checked."
        in refusals(rows, EVERYTHING)
    )


def test_a_baseline_without_figures_is_no_silent_pass():
    found = verdicts([result(0.1, NAN), women(0.1, NAN)], EVERYTHING)
    assert {rule for rule, verdict in found.items() if verdict == FAILED} == COMPARING
    assert (
        "ndcg@10_full of the overall slice has nothing to be compared with, since there is no "
        "such figure of the last blessed model (gate.max_drop)."
    ) in refusals([result(0.1, NAN)], EVERYTHING)


def test_a_metric_that_was_not_computed_is_no_silent_pass():
    rows = [result(0.1, 0.1, **{"hr@10_full": None, "ndcg_lift@10_full": None})]
    assert refusals(rows, GateConfig(min_hr=0.0)) == [
        "hr@10_full of the overall slice was not measured, so gate.min_hr cannot be checked.",
        "ndcg@10_full of the overall slice has nothing to be compared with, since there is no "
        "such figure of popularity (gate.must_beat_popularity).",
    ]


def test_nothing_evaluated_is_a_refusal():
    assert refusals([], GateConfig(**QUIET)) == [
        "Nothing was evaluated: the test split has no users."
    ]


def test_a_finding_carries_its_figures_and_the_paired_interval():
    found = {f.rule: f for f in decide([result(0.1, 0.2)], GateConfig(), 10, BASELINE)}
    drop = found["gate.max_drop"]
    assert (drop.metric, drop.bound, drop.count) == ("ndcg@10_full", 0.1, 1000)
    assert (drop.figure, drop.compared) == (estimate(0.1), estimate(0.2))
    assert drop.change == estimate(0.1 - 0.2)
    assert found["gate.must_beat_popularity"].change == estimate(0.1 - 0.05)
