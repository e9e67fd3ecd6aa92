"""Names of what the generators count, and how counts leave a Beam pipeline.

Each count becomes an int custom property of the Examples artifact, where
reports read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apache_beam as beam
from tfx import types

# Kept interactions (targets included), the users who have a row and the items.
INTERACTIONS = "interactions"
USERS = "users"
ITEMS = "items"
# What was left out, in the order in which the rules are applied.
DUPLICATES = "duplicates"
DROPPED_BY_RATING = "dropped_by_rating"
DROPPED_BY_CORE = "dropped_by_core"
# Users of whom nothing is held out, and those who came after what train holds.
USERS_IN_TRAIN_ONLY = "users_in_train_only"
USERS_NOT_IN_TRAIN = "users_not_in_train"
# Users that the dataset's users file lacks: they have no features. None without such a file.
USERS_MISSING_FROM_USERS_FILE = "users_missing_from_users_file"
# Held-out interactions that nobody can be asked for, their users having no history.
HELD_OUT_UNUSED = "held_out_unused"
# Items that only the interactions know.
ITEMS_MISSING_FROM_CATALOG = "items_missing_from_catalog"

INTERACTION_COUNTS = (
    INTERACTIONS,
    USERS,
    ITEMS,
    DUPLICATES,
    DROPPED_BY_RATING,
    DROPPED_BY_CORE,
    USERS_IN_TRAIN_ONLY,
    USERS_NOT_IN_TRAIN,
    USERS_MISSING_FROM_USERS_FILE,
    HELD_OUT_UNUSED,
)
CATALOG_COUNTS = (ITEMS, ITEMS_MISSING_FROM_CATALOG)

_NAMESPACE = "movielens.example_gen"


def add(counts: Mapping[str, int]) -> None:
    """Add to the pipeline's counters, from within a DoFn.

    Args:
      counts: name -> increment.
    """
    for name, value in counts.items():
        beam.metrics.Metrics.counter(_NAMESPACE, name).inc(int(value))


def read(result: Any, names: tuple[str, ...]) -> dict[str, int]:
    """Read the counters of a finished pipeline.

    Args:
      result: the apache_beam PipelineResult.
      names: those wanted.

    Returns:
      name -> sum over all workers, 0 where nobody counted.
    """
    wanted = beam.metrics.MetricsFilter().with_namespace(_NAMESPACE)
    sums = dict.fromkeys(names, 0)
    for counter in result.metrics().query(wanted)["counters"]:
        if counter.key.metric.name in sums:
            # Portable runners report either what was committed or what was
            # attempted; of a zero, `result` is the other's None.
            sums[counter.key.metric.name] += counter.result or 0
    return sums


def publish(artifact: types.Artifact, counts: Mapping[str, int]) -> None:
    """Set counts as int custom properties.

    Args:
      artifact: gets them.
      counts: name -> count.
    """
    for name, value in counts.items():
        artifact.set_int_custom_property(name, value)
