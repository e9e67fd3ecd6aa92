"""Anomalies in one sentence, for whoever started the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.validator.config import STOP, WARN, Action, ValidationConfig
from schema import features

# Reasons that tell of distributions.
COMPARATORS = frozenset(
    {
        anomalies_pb2.AnomalyInfo.COMPARATOR_L_INFTY_HIGH,
        anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
        anomalies_pb2.AnomalyInfo.COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH,
    }
)

# A broken file can break everything; a few anomalies say where to look.
_SHOWN = 5
# What to know where nothing is held out.
_EMPTY = {
    features.VALID: ": leave-one-out holds nothing out of users with fewer than three "
    "interactions, other splits have rules of their own (docs/splits.md)",
}

# How TFDV calls the two sides of a skew, whatever they are, and the bound between them.
_SIDES = "between training and serving"
_BOUND = "above the threshold"


def describe(
    found: Mapping[str, anomalies_pb2.Anomalies], config: ValidationConfig
) -> tuple[str, str]:
    """Say what is wrong with the examples.

    Args:
      found: split name -> its anomalies.
      config: which of them stop a run.

    Returns:
      What stops the run, and what is only to be known: each one sentence with
      split, feature and reason of the first anomalies and the number of the
      others; empty where there are none.
    """
    clauses = [
        (action, f"split '{split}', {clause}")
        for split, it in found.items()
        for action, clause in _clauses(split, it, config)
    ]
    refusal, warning = (
        _sentence([clause for action, clause in clauses if action == asked])
        for asked in (STOP, WARN)
    )
    return refusal, warning


def _sentence(clauses: list[str]) -> str:
    if not clauses:
        return ""
    more = f"; and {len(clauses) - _SHOWN} more" if len(clauses) > _SHOWN else ""
    return f"The examples do not fit the schema: {'; '.join(clauses[:_SHOWN])}{more}."


def _clauses(
    split: str, anomalies: anomalies_pb2.Anomalies, config: ValidationConfig
) -> Iterator[tuple[Action, str]]:
    if anomalies.data_missing:
        yield STOP, f"it has no examples, expected at least one{_EMPTY.get(split, '')}"
    for reason in anomalies.dataset_anomaly_info.reason:
        yield config.anomalies, f"all examples: {_text(reason)}"
    for feature, info in sorted(anomalies.anomaly_info.items()):
        for reason in info.reason:
            if reason.type in COMPARATORS:
                yield config.skew, f"feature '{feature}': {_skew(split, reason)}"
            else:
                yield config.anomalies, f"feature '{feature}': {_text(reason)}"


def _skew(split: str, reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    """Say which splits were compared and which key decides."""
    text = _text(reason).replace(_SIDES, f"between the splits '{features.TRAIN}' and '{split}'")
    return text.replace(_BOUND, f"{_BOUND} (data.validation.skew_threshold)")


def _text(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    """Turn TFDV's description into a clause."""
    text = reason.description or reason.short_description
    return " ".join(text.split()).rstrip(".").replace(". ", ", ")
