"""Training data in memory: flat interaction arrays, epochs of batches, negatives.

Read by trainer.run from Transform's examples. A batch is a dict of tensors
made inside tf.data, so that drawing negatives for the next step overlaps the
present one. An interaction takes 18 bytes while negatives are sampled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from schema import features
from schema.errors import UserError
from trainer.catalog import Catalog

POSITIVE = "positive"
NEGATIVES = "negatives"
ABSENT = -1


@dataclasses.dataclass(frozen=True)
class Histories:
    """One split: R users with their interactions, in the order of the files.

    Attributes:
      user_id: bytes objects [R], raw ids.
      user_index: int32 [R], row in the user vocabulary or out-of-vocabulary.
      context: int32 [R, 3], columns as schema.features.USER_CONTEXT_INDICES.
      positions: int32 [N], catalog positions of the interactions, by user.
      splits: int64 [R + 1], where each user's interactions begin.
      trainable: bool [N], whether the item has a vocabulary row of its own.
      target: int32 [R], the held-out item's position, ABSENT in train.
    """

    user_id: np.ndarray
    user_index: np.ndarray
    context: np.ndarray
    positions: np.ndarray
    splits: np.ndarray
    trainable: np.ndarray
    target: np.ndarray

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
            splits=self.splits
            + np.concatenate([[0], np.cumsum(self.target != ABSENT)]).astype(np.int64),
            target=np.full_like(self.target, ABSENT),
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
      context: int32 [I, 3]; zeros (unknown) for out-of-vocabulary rows.
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
        context=np.stack([column[n] for n in features.USER_CONTEXT_INDICES], 1).astype(np.int32),
        positions=positions,
        splits=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        trainable=trainable,
        target=_lookup(column[features.TARGET_ITEM_ID], catalog),
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


def user_tensors(user_index: tf.Tensor, context: tf.Tensor) -> dict[str, tf.Tensor]:
    """The users' side of a batch, by feature name.

    Args:
      user_index: int32 [B].
      context: int32 [B, 3].

    Returns:
      int32 [B] tensors, as Recommender.encode_users expects them.
    """
    columns = tf.unstack(context, axis=1)
    return {
        features.USER_INDEX: user_index,
        **dict(zip(features.USER_CONTEXT_INDICES, columns, strict=True)),
    }


class NegativeSampler(tf.Module):
    """Draws items that a user has not interacted with, uniformly and exactly.

    The r-th unseen item is found by one binary search, so nothing is drawn
    twice: with a user's seen positions s_0 < s_1 < ..., the number of seen
    items below the r-th unseen one is j = #{i : s_i - i <= r}, and that item's
    position is r + j.

    Args:
      histories: the interactions to avoid.
      num_items: catalog size C.
    """

    def __init__(self, histories: Histories, num_items: int) -> None:
        super().__init__()
        rows = histories.rows.astype(np.int64)
        order = np.lexsort((histories.positions, rows))
        within = np.arange(len(rows)) - histories.splits[rows]
        gaps = histories.positions[order] - within
        self._stride = num_items + 1
        self._keys = tf.constant(rows * self._stride + gaps, tf.int64)
        self._splits = tf.constant(histories.splits, tf.int64)
        self._unseen = tf.constant(num_items - np.diff(histories.splits), tf.float32)

    def __call__(self, rows: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
        """Draws `count` unseen items for each row.

        Args:
          rows: int32 [B], rows of the histories.
          count: negatives a row.
          seed: int64 [2], of the stateless draw.

        Returns:
          int32 [B, count] catalog positions.
        """
        uniform = tf.random.stateless_uniform([tf.size(rows), count], seed)
        unseen = tf.gather(self._unseen, rows)[:, None]
        rank = tf.cast(tf.minimum(tf.floor(uniform * unseen), unseen - 1.0), tf.int64)
        keys = tf.cast(rows, tf.int64)[:, None] * self._stride + rank
        below = tf.searchsorted(self._keys, tf.reshape(keys, [-1]), side="right", out_type=tf.int64)
        below = tf.reshape(below, [-1, count]) - tf.gather(self._splits, rows)[:, None]
        return tf.cast(rank + below, tf.int32)


class TrainingData:
    """The positives of one training and the batches made of them.

    Args:
      histories: the interactions to learn from.
      num_items: catalog size C.
      negatives: sampled negatives a positive; 0 draws none.
      seed: of shuffling and sampling.

    Raises:
      UserError: a user has consumed the whole catalog, so no negative exists.
    """

    def __init__(self, histories: Histories, num_items: int, negatives: int, seed: int) -> None:
        rows = histories.rows[histories.trainable]
        self.size = len(rows)
        self.examples = self.size * (1 + negatives)
        self._seed = seed
        self._negatives = negatives
        self._rows = tf.constant(rows)
        self._positions = tf.constant(histories.positions[histories.trainable])
        self._user_index = tf.constant(histories.user_index)
        self._context = tf.constant(histories.context)
        if negatives:
            full = int(np.sum(np.diff(histories.splits) >= num_items))
            if full:
                raise UserError(
                    f"{full} users have interacted with all {num_items} items of the catalog; "
                    f"expected at least one item left to sample as a negative."
                )
            self._sampler = NegativeSampler(histories, num_items)

    def epoch(self, epoch: int, batch_size: int) -> tf.data.Dataset:
        """Batches of one epoch, in an order of its own, with fresh negatives.

        The last batch is filled up from the epoch's beginning, so all batches
        have one shape.

        Args:
          epoch: number of the epoch; with the seed it fixes the order.
          batch_size: positives a batch.

        Returns:
          A dataset of dicts: the users' tensors int32 [B], POSITIVE int32 [B]
          and, with negatives, NEGATIVES int32 [B, n].
        """
        steps = -(-self.size // batch_size)
        order = np.random.default_rng([self._seed, epoch]).permutation(self.size)
        order = np.resize(order, steps * batch_size).reshape(steps, batch_size)
        numbered = tf.data.Dataset.from_tensor_slices(order).enumerate()
        base = np.random.default_rng([self._seed, epoch, 1]).integers(2**31)
        return numbered.map(
            lambda step, chosen: self._batch(chosen, tf.stack([tf.constant(base), step])),
            num_parallel_calls=1,
        ).prefetch(2)

    def _batch(self, chosen: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.gather(self._rows, chosen)
        batch = user_tensors(tf.gather(self._user_index, rows), tf.gather(self._context, rows))
        batch[POSITIVE] = tf.gather(self._positions, chosen)
        if self._negatives:
            batch[NEGATIVES] = self._sampler(rows, self._negatives, seed)
        return batch


def _records(files: Sequence[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(list(files), compression_type="GZIP").batch(4096).prefetch(2)


def _parse(batch: tf.Tensor) -> dict[str, np.ndarray]:
    scalar = tf.io.FixedLenFeature([], tf.int64)
    specification = {
        features.USER_ID: tf.io.FixedLenFeature([], tf.string),
        features.USER_INDEX: scalar,
        **dict.fromkeys(features.USER_CONTEXT_INDICES, scalar),
        features.ITEM_INDEX: tf.io.RaggedFeature(tf.int64),
        features.UNKNOWN_ITEM_ID: tf.io.RaggedFeature(tf.string),
        features.TARGET_ITEM_ID: tf.io.FixedLenFeature([], tf.string, ""),
    }
    parsed = tf.io.parse_example(batch, specification)
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
