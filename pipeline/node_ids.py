"""Ids of the pipeline's nodes that others look up, and the sources that each node runs."""

from __future__ import annotations

from pipeline.source_digest import source_digest

INTERACTIONS = "InteractionsExampleGen"
CATALOG = "CatalogExampleGen"
INTERACTIONS_VALIDATOR = "InteractionsValidator"
CATALOG_VALIDATOR = "CatalogValidator"
TRANSFORM = "Transform"
TUNER = "RecommenderTuner"
TRAINER = "RecommenderTrainer"
RESOLVER = "BaselineResolver"
BASE_RESOLVER = "BaseModelResolver"
EVALUATOR = "Evaluator"
PUSHER = "Pusher"

_NAMES = "schema/features.py"
_HASH = "components/splitmix64.py"
_INGEST = ("components/example_gen", "components/formats", "components/columns.py", _HASH, _NAMES)
# An edit of these makes a node, and what depends on it, run again.
_SOURCES = {
    INTERACTIONS: _INGEST,
    CATALOG: _INGEST,
    TRANSFORM: ("transform", _NAMES),
    TUNER: ("trainer", "components/tuner", _NAMES),
    TRAINER: ("trainer", "components/trainer", _NAMES),
    # An edit of the ranking or the gate evaluates anew and trains nothing.
    EVALUATOR: (
        "components/evaluator",
        "components/metrics",
        "trainer/ops",
        "trainer/config/evaluation.py",
        _HASH,
        _NAMES,
    ),
    PUSHER: ("components/pusher.py", "components/served_folder.py"),
}


def digest(node: str) -> str:
    """Digest the sources that a node runs; part of its cache key.

    Args:
      node: one of the ids here that is no resolver.

    Returns:
      As pipeline.source_digest.source_digest.

    Raises:
      KeyError: the node has no sources of ours.
    """
    return source_digest(*_SOURCES[node])
