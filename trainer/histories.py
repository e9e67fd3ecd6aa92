"""Interactions as flat arrays: one split's users with their items.

Read by trainer.data from Transform's examples; trained on by trainer.input,
ranked by trainer.validation, remembered by trainer.serving.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from schema import features
from schema.errors import UserError
from trainer.catalog import Catalog

ABSENT = -1
_BY_INTERACTION = ("positions", "trainable", "ratings")
_BY_ROW = ("user_id", "user_index", "context", "target", "target_rating")


@dataclasses.dataclass(frozen=True)
class Histories:
    """One split: R users with their interactions, in the order of the files.

    Attributes:
      user_id: bytes objects [R], raw ids.
      user_index: int32 [R], row in the user vocabulary or out-of-vocabulary.
      context: int32 [R, 4], columns as schema.features.USER_CONTEXT.
      positions: int32 [N], catalog positions of the interactions, by user.
      splits: int64 [R + 1], where each user's interactions begin.
      trainable: bool [N], whether the item has a vocabulary row of its own.
      target: int32 [R], the held-out item's position, ABSENT in train.
      ratings: float32 [N], the user's rating of each interaction.
      target_rating: float32 [R], that of the target, NaN without one.
    """

    user_id: np.ndarray
    user_index: np.ndarray
    context: np.ndarray
    positions: np.ndarray
    splits: np.ndarray
    trainable: np.ndarray
    target: np.ndarray
    ratings: np.ndarray
    target_rating: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Row of each interaction, int32 [N]."""
        return np.repeat(np.arange(len(self.user_index), dtype=np.int32), np.diff(self.splits))

    def with_targets(self, catalog: Catalog) -> Histories:
        """Each user's target appended to the history, as training on train and valid needs.

        Args:
          catalog: tells which targets have a vocabulary row.

        Returns:
          Histories of the same users, without targets.
        """
        held = np.flatnonzero(self.target != ABSENT)
        at = self.splits[1:][held]
        known = catalog.item_index[self.target[held]] < catalog.num_vocabulary
        return dataclasses.replace(
            self,
            positions=np.insert(self.positions, at, self.target[held]),
            trainable=np.insert(self.trainable, at, known),
            ratings=np.insert(self.ratings, at, self.target_rating[held]),
            splits=self.splits
            + np.concatenate([[0], np.cumsum(self.target != ABSENT)]).astype(np.int64),
            target=np.full_like(self.target, ABSENT),
            target_rating=np.full_like(self.target_rating, np.nan),
        )

    def by_user(self) -> Histories:
        """One row a user, whose history is that of all the user's rows without repetitions.

        Returns:
          Histories in the order of the users' first rows; targets are those of
          these rows.
        """
        _, first, user = np.unique(
            self.user_id.astype(bytes), return_index=True, return_inverse=True
        )
        if len(first) == len(user):
            return self
        users = np.argsort(first)
        rank = np.argsort(users)[user]
        stride = int(self.positions.max(initial=0)) + 1
        pairs = rank[self.rows] * np.int64(stride) + self.positions
        _, once = np.unique(pairs, return_index=True)
        owner = rank[self.rows[once]]
        order = np.lexsort((once, owner))
        rows, kept = first[users], once[order]
        lengths = np.bincount(owner, minlength=len(rows))
        return Histories(
            splits=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            **{name: getattr(self, name)[kept] for name in _BY_INTERACTION},
            **{name: getattr(self, name)[rows] for name in _BY_ROW},
        )

    def followed_by(self, other: Histories) -> Histories:
        """The users of `self` that `other` lacks, then the users of `other`.

        Args:
          other: histories of the same catalog.

        Returns:
          Histories with each user once.
        """
        kept = ~np.isin(self.user_id.astype(bytes), other.user_id.astype(bytes))
        inner = np.repeat(kept, np.diff(self.splits))
        lengths = np.concatenate([np.diff(self.splits)[kept], np.diff(other.splits)])

        def joined(name: str, mask: np.ndarray) -> np.ndarray:
            return np.concatenate([getattr(self, name)[mask], getattr(other, name)])

        return Histories(
            user_id=joined("user_id", kept),
            user_index=joined("user_index", kept),
            context=joined("context", kept),
            positions=joined("positions", inner),
            splits=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            trainable=joined("trainable", inner),
            target=joined("target", kept),
            ratings=joined("ratings", inner),
            target_rating=joined("target_rating", kept),
        )

    def counts(self, size: int) -> np.ndarray:
        """Interactions an item.

        Args:
          size: number of catalog items C.

        Returns:
          int64 [C].
        """
        return np.bincount(self.positions, minlength=size).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class UserTable:
    """What the exported model remembers of known users, by user index.

    Attributes:
      context: int32 [I, 4]; zeros (unknown) for out-of-vocabulary rows.
      history: int32 [N], positions of seen items, grouped by user index.
      history_splits: int64 [I + 1].
    """

    context: np.ndarray
    history: np.ndarray
    history_splits: np.ndarray


def read_histories(files: Sequence[str], catalog: Catalog) -> Histories:
    """Reads one split of Transform's output.

    Args:
      files: TFRecord files (patterns resolved).
      catalog: gives items their positions.

    Returns:
      The split's histories.

    Raises:
      UserError: the split has no interactions, or an item that the catalog
        lacks (another data set's catalog).
    """
    parts = [_parse(batch) for batch in _records(files)]
    if not parts:
        raise UserError(f"No users in {', '.join(files)}; expected at least one.")
    column = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    lengths = column.pop("lengths")
    positions, trainable = _positions(column, catalog)
    return Histories(
        user_id=column[features.USER_ID],
        user_index=column[features.USER_INDEX].astype(np.int32),
        context=np.stack([column[n] for n in features.USER_CONTEXT], 1).astype(np.int32),
        positions=positions,
        splits=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        trainable=trainable,
        target=_lookup(column[features.TARGET_ITEM_ID], catalog),
        ratings=column[features.RATING],
        target_rating=column[features.TARGET_RATING],
    )


def user_table(histories: Histories, num_users: int, num_indices: int) -> UserTable:
    """Gathers what serving needs of the users that have a vocabulary row.

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
        history_splits=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


def _records(files: Sequence[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(list(files), compression_type="GZIP").batch(4096).prefetch(2)


def _parse(batch: tf.Tensor) -> dict[str, np.ndarray]:
    scalar = tf.io.FixedLenFeature([], tf.int64)
    specification = {
        features.USER_ID: tf.io.FixedLenFeature([], tf.string),
        features.USER_INDEX: scalar,
        **dict.fromkeys(features.USER_CONTEXT, scalar),
        features.ITEM_INDEX: tf.io.RaggedFeature(tf.int64),
        features.UNKNOWN_ITEM_ID: tf.io.RaggedFeature(tf.string),
        # Transform writes an empty list where a row has no target.
        features.TARGET_ITEM_ID: tf.io.RaggedFeature(tf.string),
        features.TARGET_RATING: tf.io.RaggedFeature(tf.float32),
        features.RATING: tf.io.RaggedFeature(tf.float32),
    }
    parsed = tf.io.parse_example(batch, specification)
    for name, absent in ((features.TARGET_ITEM_ID, ""), (features.TARGET_RATING, np.nan)):
        parsed[name] = parsed[name].to_tensor(absent, shape=[None, 1])[:, 0]
    parsed[features.RATING] = parsed[features.RATING].flat_values
    items = parsed.pop(features.ITEM_INDEX)
    unknown = parsed.pop(features.UNKNOWN_ITEM_ID)
    return {
        **{name: value.numpy() for name, value in parsed.items()},
        "lengths": items.row_lengths().numpy(),
        features.ITEM_INDEX: items.flat_values.numpy(),
        features.UNKNOWN_ITEM_ID: unknown.flat_values.numpy(),
    }


def _positions(column: dict[str, np.ndarray], catalog: Catalog) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the interactions, and which have a vocabulary row of their own."""
    index, unknown = column[features.ITEM_INDEX], column[features.UNKNOWN_ITEM_ID]
    own = np.flatnonzero(catalog.item_index < catalog.num_vocabulary)
    position_of = np.full(catalog.num_indices, ABSENT, np.int32)
    position_of[catalog.item_index[own]] = own
    trainable = index < catalog.num_vocabulary
    positions = position_of[index]
    positions[~trainable] = _lookup(unknown, catalog)
    if len(positions) and positions.min() < 0:
        raise UserError(
            f"{int(np.sum(positions < 0))} interactions have items that the catalog lacks; "
            f"expected the catalog of the same data."
        )
    return positions, trainable


def _lookup(ids: np.ndarray, catalog: Catalog) -> np.ndarray:
    """Positions of raw ids, int32; ABSENT for b"" and unknown ids."""
    rows = {item: row for row, item in enumerate(catalog.item_ids)}
    return np.asarray([rows.get(item, ABSENT) for item in ids], np.int32)
