"""Which items a held-out row's targets are ranked among, by protocol.

Pure TensorFlow functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from trainer.config.evaluation import ProtocolConfig
from trainer.ops import lookup
from trainer.ops.draws import draw, draw_repeatedly, fingerprint, marked


class HeldOutBatch(NamedTuple):
    """Hold held-out rows; items are catalog positions, -1 stands for none.

    Attributes:
      users: int64 [B], `draws.fingerprint` of the user ids.
      seen: int32 [B, H], the history's items that are not targets, each once.
      targets: int32 [B, T], distinct; -1 where the catalog lacks one and past the
        last one.
      present: bool [B, T], false past a row's last target.
      given: int32 [B, G], the row's own candidates.
      has_given: bool [B], whether the row has candidates of its own.
    """

    users: tf.Tensor
    seen: tf.Tensor
    targets: tf.Tensor
    present: tf.Tensor
    given: tf.Tensor
    has_given: tf.Tensor


class CatalogWeights(NamedTuple):
    """Hold the catalog as draws need it.

    Attributes:
      names: int64 [C], `draws.fingerprint` of the item ids.
      weights: float32 [C], interactions known to the model.
      sums: int64 [C + 1], interactions with the items before each position.
    """

    names: tf.Tensor
    weights: tf.Tensor
    sums: tf.Tensor

    @classmethod
    def of(cls, item_ids: Sequence[bytes], counts: np.ndarray) -> CatalogWeights:
        """Hold a catalog's ids and counts in variables.

        Args:
          item_ids: raw ids by position.
          counts: int64 [C], interactions known to the model.

        Returns:
          The catalog.
        """
        names = fingerprint(tf.constant(list(item_ids), tf.string))
        return cls(
            names=lookup.stored(names.numpy(), tf.int64),
            weights=lookup.stored(counts, tf.float32),
            sums=lookup.stored(np.concatenate([[0], np.cumsum(counts)]), tf.int64),
        )


def held_out_batch(
    users: tf.Tensor,
    history: tf.RaggedTensor,
    targets: tf.RaggedTensor,
    given: tf.RaggedTensor,
    width: tf.Tensor,
) -> HeldOutBatch:
    """Put held-out rows into the form in which targets are ranked.

    Args:
      users: int64 [B], `draws.fingerprint` of the user ids.
      history: int32 ragged [B, None], catalog positions, -1 for none, in any
        number of repetitions.
      targets: the same of the held-out items, each once.
      given: the same of the row's own candidates.
      width: T, columns for the targets, `most_targets` or more.

    Returns:
      The rows.
    """
    dense = lookup.dense(targets, -1, width)
    return HeldOutBatch(
        users=users,
        seen=without(distinct(history.to_tensor(-1)), dense),
        targets=dense,
        present=tf.sequence_mask(targets.row_lengths(), width),
        given=given.to_tensor(-1),
        has_given=given.row_lengths() > 0,
    )


def most_targets(targets: tf.RaggedTensor) -> tf.Tensor:
    """Return how many targets the longest row has, and at least 1; int64 scalar.

    Args:
      targets: ragged [B, None].
    """
    return tf.maximum(tf.reduce_max(targets.row_lengths()), 1)


def distinct(positions: tf.Tensor) -> tf.Tensor:
    """Keep each item once a row.

    Args:
      positions: int32 [B, N], -1 for none.

    Returns:
      int32 [B, N], in ascending order but for -1 in place of repetitions.
    """
    ordered = tf.sort(positions, axis=1)
    repeated = tf.equal(ordered[:, 1:], ordered[:, :-1])
    return tf.where(tf.pad(repeated, [[0, 0], [1, 0]])[:, : tf.shape(ordered)[1]], -1, ordered)


def without(positions: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Drop items that are among a row's others.

    Args:
      positions: int32 [B, N], -1 for none.
      others: int32 [B, T], T at least 1.

    Returns:
      int32 [B, N], -1 in place of those dropped.
    """
    ordered = tf.sort(others, axis=1)
    where = tf.searchsorted(ordered, positions)
    nearest = tf.gather(ordered, tf.minimum(where, tf.shape(ordered)[1] - 1), batch_dims=1)
    return tf.where(tf.equal(nearest, positions), -1, positions)


def negatives(
    rows: HeldOutBatch, items: CatalogWeights, protocol: ProtocolConfig, seed: int
) -> tf.Tensor:
    """Return the candidates of a sampled protocol, targets left out.

    Given candidates take the place of a draw. One that is a target or that the
    catalog lacks does not count; a repeated one counts repeatedly only with
    replacement, and never under MLPerf's rules.

    Args:
      rows: B rows.
      items: the catalog.
      protocol: with candidates "sampled".
      seed: of the draws.

    Returns:
      int32 [B, N], -1 for none.
    """
    repeatedly = protocol.replacement and not protocol.mlperf

    def given() -> tf.Tensor:
        own = without(rows.given, rows.targets)
        return own if repeatedly else distinct(own)

    def drawn() -> tf.Tensor:
        found = _draw(rows, items, protocol, seed)
        if protocol.exclude == "history":
            found = without(found, rows.targets)
        return found if repeatedly or not protocol.replacement else distinct(found)

    def both() -> tf.Tensor:
        parts = given(), drawn()
        width = tf.maximum(*(tf.shape(part)[1] for part in parts))
        own, others = (
            tf.pad(part, [[0, 0], [0, width - tf.shape(part)[1]]], constant_values=-1)
            for part in parts
        )
        return tf.where(rows.has_given[:, tf.newaxis], own, others)

    if not protocol.given:
        return drawn()
    return tf.cond(tf.reduce_all(rows.has_given), given, both)


def _draw(
    rows: HeldOutBatch, items: CatalogWeights, protocol: ProtocolConfig, seed: int
) -> tf.Tensor:
    size = tf.size(items.names)
    excluded = rows.seen
    if protocol.exclude == "all":
        excluded = tf.concat([excluded, rows.targets], axis=1)
    by_popularity = protocol.draw == "popularity"
    if not protocol.replacement:
        allowed = ~marked(tf.RaggedTensor.from_tensor(excluded), size)
        weights = items.weights if by_popularity else None
        return draw(
            rows.users, items.names, allowed, count=protocol.negatives, seed=seed, weights=weights
        )
    sums = items.sums if by_popularity else tf.range(tf.cast(size, tf.int64) + 1)
    excluded = tf.sort(tf.where(excluded < 0, size, excluded), axis=1)
    return draw_repeatedly(rows.users, excluded, sums, count=protocol.negatives, seed=seed)
