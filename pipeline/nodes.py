"""Ids of the pipeline's nodes that others look up, and the sources that each node runs.

Called by pipeline.pipeline, which wires the nodes, and by the reports.
"""

from __future__ import annotations

from pipeline.fingerprint import source_digest

INTERACTIONS = "InteractionsExampleGen"
CATALOG = "CatalogExampleGen"
TRANSFORM = "Transform"
TUNER = "RecommenderTuner"
TRAINER = "RecommenderTrainer"
RESOLVER = "BaselineResolver"
BASE_RESOLVER = "BaseModelResolver"
EVALUATOR = "Evaluator"
PUSHER = "Pusher"

# Of a node's digest, in its properties.
DIGEST_KEY = "source_digest"

_NAMES = "schema/features.py"
_INGEST = ("components/example_gen", "components/formats", _NAMES)
_GATE = ("eval_config", "evaluation", "gate", "rules", "verdict")
# An edit of these makes a node, and what depends on it, run again.
_SOURCES = {
    INTERACTIONS: _INGEST,
    CATALOG: _INGEST,
    TRANSFORM: ("transform", _NAMES),
    TUNER: ("trainer", "components/tuner", _NAMES),
    TRAINER: ("trainer", "components/trainer", _NAMES),
    # The judge's sources are among the Trainer's, whose model the Evaluator reads.
    EVALUATOR: (
        *("components/evaluator", "components/metrics", _NAMES),
        *(f"pipeline/{name}.py" for name in _GATE),
    ),
    PUSHER: ("components/pusher.py",),
}


def digest(node: str) -> str:
    """Digest of the sources that a node runs; part of its cache key.

    Args:
      node: one of the ids here that is no resolver.

    Returns:
      As pipeline.fingerprint.source_digest.

    Raises:
      KeyError: the node has no sources of ours.
    """
    return source_digest(*_SOURCES[node])
