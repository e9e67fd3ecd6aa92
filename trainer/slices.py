"""Readable groups of held-out rows, for metrics by slice.

Called by trainer.serving, whose signatures hand the groups to TFMA. A group
of users depends on the row alone, a group of targets on the popularity that
the model saw in training.
"""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from schema import features

UNKNOWN = "unknown"
_ACTIVITY_BOUNDARIES = (20, 50, 100, 200)
# Upper ends, as shares of the items with training interactions.
_POPULARITY_SHARES = (0.01, 0.1, 0.5)
NEVER_TRAINED = "never in training"
_POPULARITY_NAMES = ("top 1 %", "top 1-10 %", "top 10-50 %", "bottom 50 %", NEVER_TRAINED)


def age_group(ages: tf.Tensor) -> tf.Tensor:
    """Names the age groups of schema.features.AGE_BOUNDARIES.

    Args:
      ages: int64 [B], years; negative where unknown. MovieLens 1M's codes, the
        lower ends of its groups, fall into their groups.

    Returns:
      string [B], such as "under 18", "25-34" or "56 or older".
    """
    bounds = features.AGE_BOUNDARIES
    between = [f"{low}-{high - 1}" for low, high in itertools.pairwise(bounds)]
    names = [f"under {bounds[0]}", *between, f"{bounds[-1]} or older"]
    groups = tf.gather(tf.constant(names), tf.searchsorted(_int64(bounds), ages, side="right"))
    return tf.where(ages < 0, UNKNOWN, groups)


def activity(lengths: tf.Tensor) -> tf.Tensor:
    """Names how much is known of the users.

    Args:
      lengths: int64 [B], interactions in the row's history.

    Returns:
      string [B], such as "20-49 interactions".
    """
    bounds = _ACTIVITY_BOUNDARIES
    between = [f"{low}-{high - 1}" for low, high in itertools.pairwise(bounds)]
    names = [f"1-{bounds[0] - 1}", *between, f"{bounds[-1]} or more"]
    groups = tf.searchsorted(_int64(bounds), lengths, side="right")
    return tf.gather(tf.constant([f"{name} interactions" for name in names]), groups)


def popularity_group(counts: np.ndarray) -> np.ndarray:
    """Names how popular items are among those with training interactions.

    Items with equal counts share a group: an item belongs to the top 10 % when
    fewer than 10 % of the items have more interactions.

    Args:
      counts: int64 [C], training interactions.

    Returns:
      str objects [C], such as "top 1-10 %".
    """
    known = np.sort(counts[counts > 0])
    better = len(known) - np.searchsorted(known, counts, side="right")
    share = better / max(len(known), 1)
    group = np.searchsorted(_POPULARITY_SHARES, share, side="right")
    return np.asarray(_POPULARITY_NAMES, object)[np.where(counts > 0, group, -1)]


def _int64(values: tuple[int, ...]) -> tf.Tensor:
    return tf.constant(values, tf.int64)
