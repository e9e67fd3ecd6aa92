"""Readable groups of held-out rows, for metrics by slice.

A group of users depends on the row alone but for what the model knows of them,
a group of targets on the model's catalog.
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
    """Name the age groups of schema.features.AGE_BOUNDARIES.

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
    """Name how much is known of the users.

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
    """Name how popular items are among those with training interactions.

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


def coldness(subject: str, known: tf.Tensor) -> tf.Tensor:
    """Name whether training knew something.

    Args:
      subject: "user" or "item".
      known: bool [...].

    Returns:
      string of that shape, such as "known user" or "new user".
    """
    return tf.where(known, f"known {subject}", f"new {subject}")


class TargetGroups(tf.Module):
    """Find the groups that each item of a catalog belongs to.

    Args:
      counts: int64 [C], training interactions.
      years: int32 [C], 0 where unknown.
      genres: float32 [C, G], 1 where the item has the genre.
      names: bytes [G], of the genres.
    """

    def __init__(
        self, counts: np.ndarray, years: np.ndarray, genres: np.ndarray, names: list[bytes]
    ) -> None:
        super().__init__()
        # One more row at the end answers position -1.
        groups = [*popularity_group(counts).tolist(), NEVER_TRAINED]
        decades = [f"{year // 10 * 10}s" if year > 0 else UNKNOWN for year in years.tolist()]
        self._genre_names = tf.constant([*names, UNKNOWN.encode()])
        self._genres = tf.Variable(_listed(genres), trainable=False)
        self._by_item = {
            features.TARGET_POPULARITY: tf.constant(groups),
            features.TARGET_DECADE: tf.constant([*decades, UNKNOWN]),
        }
        self._trained = tf.Variable(np.append(counts > 0, False), trainable=False)

    def __call__(self, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        """Group of rows by all of their targets.

        Args:
          targets: int32 [B, T], catalog positions, -1 for none.

        Returns:
          string [B, ?] by the names schema.features.TARGET_*, with repetitions.
        """
        rows = tf.where(targets < 0, tf.shape(self._trained)[0] - 1, targets)
        groups = {name: tf.gather(of_item, rows) for name, of_item in self._by_item.items()}
        trained = tf.gather(self._trained, rows)
        groups[features.TARGET_COLDNESS] = coldness("item", trained)
        genres = tf.gather(self._genre_names, tf.gather(self._genres, rows))
        groups[features.TARGET_GENRE] = tf.reshape(
            genres, [tf.shape(rows)[0], tf.shape(rows)[1] * self._genres.shape[1]]
        )
        return groups


def _listed(genres: np.ndarray) -> np.ndarray:
    """Each item's genres, and a last row without any: int32 [C + 1, most].

    Rows are filled up with the first of their genres, with G where they have none.
    """
    number = genres.shape[1]
    lists = [np.flatnonzero(row).tolist() or [number] for row in genres] + [[number]]
    most = max(map(len, lists))
    return np.asarray([row + row[:1] * (most - len(row)) for row in lists], np.int32)


def _int64(values: tuple[int, ...]) -> tf.Tensor:
    return tf.constant(values, tf.int64)
