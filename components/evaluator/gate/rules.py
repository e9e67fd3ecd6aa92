"""The rules of the gate, as one pure function of the figures; no TensorFlow import.

All that components.evaluator.gate.config can ask for is applied here and
nowhere else. A figure that does not exist, or is NaN, meets no rule.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from components.evaluator.gate.baseline import Baseline
from components.evaluator.gate.config import GateConfig
from components.evaluator.gate.results import Estimate, SliceResult
from components.evaluator.metric_names import metric_name

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
MISSING = Estimate(math.nan, math.nan, math.nan)

# A lift that is less is a sum of zeros but for rounding.
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Finding:
    """Hold what one rule found on one slice.

    Attributes:
      rule: key of the setting, such as "gate.max_drop"; "evaluation" and
        "baseline" are no settings, but always asked for.
      metric: name of the figure that the rule looks at.
      bound: what the setting asks for.
      feature: of the slice; "" for the overall one.
      value: of that feature.
      count: rows in the slice.
      figure: of the candidate.
      compared: of the last blessed model, or of popularity.
      change: `figure` less `compared`, with its paired interval.
      verdict: PASSED, FAILED or SKIPPED.
      reason: of a failure, one sentence; why a rule was skipped.
    """

    rule: str
    metric: str
    bound: float | bool | None = None
    feature: str = ""
    value: str = ""
    count: int = 0
    figure: Estimate = MISSING
    compared: Estimate = MISSING
    change: Estimate = MISSING
    verdict: str = PASSED
    reason: str = ""

    @property
    def subject(self) -> str:
        """Begin a sentence about it."""
        where = "the overall slice"
        if self.feature:
            where = f"the {self.feature} {self.value} slice ({self.count} rows)"
        return f"{self.metric} of {where}"


def decide(
    results: list[SliceResult], gate: GateConfig, k: int, baseline: Baseline
) -> list[Finding]:
    """Apply every rule that is switched on; the model is good when none failed.

    Args:
      results: figures, the overall slice first.
      gate: the rules.
      k: cut-off of the metrics.
      baseline: what is known of the last blessed model.

    Returns:
      One finding a rule and slice.
    """
    ndcg = metric_name("ndcg", k, gate.protocol)
    if not results:
        reason = "Nothing was evaluated: the test split has no users."
        return [Finding("evaluation", ndcg, verdict=FAILED, reason=reason)]
    overall = results[0]
    findings = list(_alone(overall, gate, k))
    if baseline.model is None or baseline.obstacle is not None:
        return [*findings, *_uncompared(overall, gate, ndcg, baseline)]
    findings += _against_baseline(overall, gate, ndcg)
    if gate.slices.max_drop is not None:
        findings += [_floor(result, gate, ndcg) for result in results[1:]]
    return findings


def _alone(overall: SliceResult, gate: GateConfig, k: int) -> Iterator[Finding]:
    """Apply the rules that look at the candidate and at popularity."""
    hr, ndcg, lift = (
        metric_name(metric, k, gate.protocol) for metric in ("hr", "ndcg", "ndcg_lift")
    )
    for rule, metric, bound in (
        # Whatever the rules are, a model without a figure is not good.
        ("evaluation", ndcg, 0.0),
        ("gate.min_hr", hr, gate.min_hr),
        ("gate.min_ndcg", ndcg, gate.min_ndcg),
    ):
        if bound is not None:
            found = _finding(overall, rule, metric, bound)
            own = found.figure.value
            wrong = f"is {own:.4f}, below the required {bound:.4f} ({rule})."
            yield _with_verdict(found, own >= bound, wrong)
    if gate.max_rmse is not None:
        found = _finding(overall, "gate.max_rmse", "rmse", gate.max_rmse)
        own = found.figure.value
        wrong = f"is {own:.4f}, above the allowed {gate.max_rmse:.4f} ({found.rule})."
        yield _with_verdict(found, own <= gate.max_rmse, wrong)
    if gate.must_beat_popularity:
        popularity = overall.metrics.get(metric_name("ndcg", k, gate.protocol, "popularity"))
        found = dataclasses.replace(
            _finding(overall, "gate.must_beat_popularity", ndcg, True),
            compared=popularity or MISSING,
            change=overall.metrics.get(lift, MISSING),
        )
        wrong = (
            f"is {found.figure.value:.4f}, not above popularity's {found.compared.value:.4f} "
            f"({found.rule})."
        )
        yield _with_verdict(found, found.change.value > _ROUNDING, wrong)


def _against_baseline(overall: SliceResult, gate: GateConfig, metric: str) -> Iterator[Finding]:
    """Apply the rules on the overall slice that look at the last blessed model."""
    if gate.max_drop is not None:
        yield _dropped(_comparison(overall, "gate.max_drop", metric, gate.max_drop), gate.max_drop)
    if gate.max_drop_absolute is not None:
        allowed = gate.max_drop_absolute
        found = _comparison(overall, "gate.max_drop_absolute", metric, allowed)
        own, before = found.figure.value, found.compared.value
        wrong = (
            f"is {own:.4f}, {before - own:.4f} below the last blessed model's {before:.4f}; "
            f"{found.rule} allows {allowed:.4f}."
        )
        yield _with_verdict(found, before - own <= allowed, wrong)
    if gate.significance:
        found = _comparison(overall, "gate.significance", metric, True)
        change = found.change
        wrong = (
            f"is {found.figure.value:.4f}, significantly below the last blessed model's "
            f"{found.compared.value:.4f}: the 95 % interval of the difference is "
            f"{change.lower:.4f} to {change.upper:.4f} ({found.rule})."
        )
        yield _with_verdict(found, change.upper >= 0, wrong)


def _floor(result: SliceResult, gate: GateConfig, metric: str) -> Finding:
    """Apply the floor of one group."""
    floors = gate.slices
    assert floors.max_drop is not None
    found = _comparison(result, "gate.slices.max_drop", metric, floors.max_drop)
    if result.count < floors.min_users:
        reason = f"fewer than {floors.min_users} rows (gate.slices.min_users)"
        return dataclasses.replace(found, verdict=SKIPPED, reason=reason)
    if floors.only_significant and found.change.upper >= 0:
        reason = "no significant drop (gate.slices.only_significant)"
        return dataclasses.replace(found, reason=reason)
    return _dropped(found, floors.max_drop)


def _dropped(found: Finding, allowed: float) -> Finding:
    """Apply the bound on a relative drop; nothing can be lost where there was nothing."""
    own, before = found.figure.value, found.compared.value
    lost = (before - own) / (before or 1.0)
    wrong = (
        f"is {own:.4f}, {lost:.1%} below the last blessed model's {before:.4f}; "
        f"{found.rule} allows {allowed:.1%}."
    )
    return _with_verdict(found, lost <= allowed, wrong)


def _uncompared(
    overall: SliceResult, gate: GateConfig, metric: str, baseline: Baseline
) -> Iterator[Finding]:
    """Skip or fail the comparing rules where there is nothing to compare with."""
    skipped = "there is no blessed model to compare with"
    if baseline.obstacle is not None and gate.compares:
        skipped = "the last blessed model cannot be evaluated"
        switches = " and ".join(
            f"{rule}={'false' if rule == 'gate.significance' else 'null'}" for rule in gate.compares
        )
        yield dataclasses.replace(
            _finding(overall, "baseline", metric, None),
            verdict=FAILED,
            reason=f"The last blessed model cannot be compared with: {baseline.obstacle} To bless "
            f"this one, give --force-bless REASON or set {switches}.",
        )
    for rule in gate.compares:
        found = _finding(overall, rule, metric, None)
        yield dataclasses.replace(found, verdict=SKIPPED, reason=skipped)


def _finding(result: SliceResult, rule: str, metric: str, bound: float | bool | None) -> Finding:
    return Finding(
        rule=rule,
        metric=metric,
        bound=bound,
        feature=result.feature,
        value=result.value,
        count=result.count,
        figure=result.metrics.get(metric, MISSING),
    )


def _comparison(result: SliceResult, rule: str, metric: str, bound: float | bool) -> Finding:
    return dataclasses.replace(
        _finding(result, rule, metric, bound),
        compared=result.baseline.get(metric, MISSING),
        change=result.change.get(metric, MISSING),
    )


def _with_verdict(found: Finding, good: bool, wrong: str) -> Finding:
    """Give a finding its verdict; comparisons with NaN are false, so NaN arrives as not good."""
    if good:
        return found
    reason = f"{found.subject} {wrong}"
    if math.isnan(found.figure.value):
        reason = f"{found.subject} was not measured, so {found.rule} cannot be checked."
    elif found.rule in _COMPARING and math.isnan(found.compared.value + found.change.value):
        reason = (
            f"{found.subject} has nothing to be compared with, since there is no such figure of "
            f"{_COMPARING[found.rule]} ({found.rule})."
        )
    return dataclasses.replace(found, verdict=FAILED, reason=reason)


_BLESSED = "the last blessed model"
_COMPARING = {
    "gate.must_beat_popularity": "popularity",
    "gate.max_drop": _BLESSED,
    "gate.max_drop_absolute": _BLESSED,
    "gate.significance": _BLESSED,
    "gate.slices.max_drop": _BLESSED,
}
