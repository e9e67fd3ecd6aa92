"""Anomalies in one sentence, for whoever started the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2

from schema import features

# A broken file can break everything; a few anomalies say where to look.
_SHOWN = 5
# What to know where nothing is held out.
_EMPTY = {
    features.VALID: ": leave-one-out holds nothing out of users with fewer than three "
    "interactions, other splits have rules of their own (docs/splits.md)",
}


def describe(found: Mapping[str, anomalies_pb2.Anomalies]) -> str:
    """Say what is wrong with the examples.

    Args:
      found: split name -> its anomalies.

    Returns:
      One sentence with split, feature and reason of the first anomalies and
      the number of the others; empty where there are none.
    """
    clauses = [
        f"split '{split}', {clause}"
        for split, it in found.items()
        for clause in _clauses(split, it)
    ]
    if not clauses:
        return ""
    more = f"; and {len(clauses) - _SHOWN} more" if len(clauses) > _SHOWN else ""
    return f"The examples do not fit the schema: {'; '.join(clauses[:_SHOWN])}{more}."


def _clauses(split: str, anomalies: anomalies_pb2.Anomalies) -> Iterator[str]:
    if anomalies.data_missing:
        yield f"it has no examples, expected at least one{_EMPTY.get(split, '')}"
    for reason in anomalies.dataset_anomaly_info.reason:
        yield f"all examples: {_text(reason)}"
    for feature, info in sorted(anomalies.anomaly_info.items()):
        for reason in info.reason:
            yield f"feature '{feature}': {_text(reason)}"


def _text(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    """Turn TFDV's description into a clause."""
    text = reason.description or reason.short_description
    return " ".join(text.split()).rstrip(".").replace(". ", ", ")
