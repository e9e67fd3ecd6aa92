"""Interactions as flat arrays: one split's users with their items.

Models train on them, validation ranks their targets, the exported model remembers them.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

ABSENT = -1
_BY_ROW = ("user_id", "user_index", "context")
_BY_INTERACTION = ("positions", "ratings")
_BY_TARGET = ("targets", "target_ratings", "target_offsets")


@dataclasses.dataclass(frozen=True)
class Interactions:
    """Hold one split: R users with their interactions, in the order of the files.

    Attributes:
      user_id: bytes objects [R], raw ids.
      user_index: int32 [R], row in the user vocabulary or out-of-vocabulary.
      context: int32 [R, 4], columns as schema.features.USER_CONTEXT.
      positions: int32 [N], catalog positions of the interactions, by user.
      splits: int64 [R + 1], where each user's interactions begin.
      ratings: float32 [N], the user's rating of each interaction.
      targets: int32 [M], positions of the held-out items, by user and time; ABSENT
        where the catalog lacks the item.
      target_splits: int64 [R + 1], where each user's targets begin; all 0 in train.
      target_ratings: float32 [M], the user's rating of each target.
      target_offsets: int32 [M], how many of the user's interactions come before
        each target.
      num_vocabulary: items with a vocabulary row, the first ones of the catalog.
    """

    user_id: np.ndarray
    user_index: np.ndarray
    context: np.ndarray
    positions: np.ndarray
    splits: np.ndarray
    ratings: np.ndarray
    targets: np.ndarray
    target_splits: np.ndarray
    target_ratings: np.ndarray
    target_offsets: np.ndarray
    num_vocabulary: int

    @property
    def in_vocabulary(self) -> np.ndarray:
        """Tell whether the item of each interaction has a vocabulary row of its own, bool [N]."""
        return self.positions < self.num_vocabulary

    @property
    def rows(self) -> np.ndarray:
        """Return the row of each interaction, int32 [N]."""
        return np.repeat(np.arange(len(self.user_index), dtype=np.int32), np.diff(self.splits))

    @property
    def target_rows(self) -> np.ndarray:
        """Return the row of each target, int32 [M]."""
        return np.repeat(
            np.arange(len(self.user_index), dtype=np.int32), np.diff(self.target_splits)
        )

    def with_targets(self) -> Interactions:
        """Put each user's targets among the interactions, as training on train and valid needs.

        Returns:
          Interactions of the same users in the order of time, without targets.
        """
        held = self.targets != ABSENT
        items, rows = self.targets[held], self.target_rows[held]
        at = self.splits[rows] + self.target_offsets[held]
        lengths = np.diff(self.splits) + np.bincount(rows, minlength=len(self.user_index))
        return dataclasses.replace(
            self,
            positions=np.insert(self.positions, at, items),
            ratings=np.insert(self.ratings, at, self.target_ratings[held]),
            splits=splits_of(lengths),
            target_splits=np.zeros_like(self.target_splits),
            **{name: getattr(self, name)[:0] for name in _BY_TARGET},
        )

    def followed_by(self, other: Interactions) -> Interactions:
        """Join the users of `self` that `other` lacks and the users of `other`.

        Args:
          other: histories of the same catalog.

        Returns:
          Interactions with each user once.
        """
        kept = ~np.isin(self.user_id.astype(bytes), other.user_id.astype(bytes))
        columns: dict[str, Any] = {}
        for names, mask in (
            (_BY_ROW, kept),
            (_BY_INTERACTION, kept[self.rows]),
            (_BY_TARGET, kept[self.target_rows]),
        ):
            for name in names:
                columns[name] = np.concatenate([getattr(self, name)[mask], getattr(other, name)])
        for name in ("splits", "target_splits"):
            lengths = [np.diff(getattr(self, name))[kept], np.diff(getattr(other, name))]
            columns[name] = splits_of(np.concatenate(lengths))
        return dataclasses.replace(self, **columns)

    def counts(self, size: int) -> np.ndarray:
        """Count the interactions of each item.

        Args:
          size: number of catalog items C.

        Returns:
          int64 [C].
        """
        return np.bincount(self.positions, minlength=size).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class UserTable:
    """Hold what the exported model remembers of known users, by user index.

    Attributes:
      context: int32 [I, 4]; zeros (unknown) for out-of-vocabulary rows.
      history: int32 [N], positions of seen items, grouped by user index.
      history_splits: int64 [I + 1].
    """

    context: np.ndarray
    history: np.ndarray
    history_splits: np.ndarray

    def without(self, history: np.ndarray, history_splits: np.ndarray) -> UserTable:
        """Leave out seen items that are kept elsewhere.

        Args:
          history: int32 [M], positions, grouped by user index.
          history_splits: int64 [I + 1].

        Returns:
          The table with the items of each user that `history` lacks.
        """
        users = np.arange(len(self.context))
        owner = np.repeat(users, np.diff(self.history_splits))
        other = np.repeat(users, np.diff(history_splits))
        # One number a pair of user and item.
        stride = 1 + max(self.history.max(initial=0), history.max(initial=0))
        missing = ~np.isin(owner * stride + self.history, other * stride + history)
        lengths = np.bincount(owner[missing], minlength=len(users))
        return dataclasses.replace(
            self, history=self.history[missing], history_splits=splits_of(lengths)
        )


def user_table(histories: Interactions, num_users: int, num_indices: int) -> UserTable:
    """Gather what serving needs of the users that have a vocabulary row.

    Args:
      histories: all that is known at export time.
      num_users: rows of the user vocabulary.
      num_indices: the same and the out-of-vocabulary buckets.

    Returns:
      The table.
    """
    known = histories.user_index < num_users
    context = np.zeros((num_indices, histories.context.shape[1]), np.int32)
    context[histories.user_index[known]] = histories.context[known]
    owner = histories.user_index[histories.rows]
    kept = owner < num_users
    order = np.argsort(owner[kept], kind="stable")
    lengths = np.bincount(owner[kept], minlength=num_indices)
    return UserTable(
        context=context,
        history=histories.positions[kept][order],
        history_splits=splits_of(lengths),
    )


def splits_of(lengths: np.ndarray) -> np.ndarray:
    """Find where lists that follow each other begin.

    Args:
      lengths: of the lists, integers [L].

    Returns:
      int64 [L + 1], the end of the last one included.
    """
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
