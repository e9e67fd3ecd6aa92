"""One split of Transform's examples as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from schema import features
from schema.errors import UserError
from trainer.data.catalog import Catalog
from trainer.data.interactions import ABSENT, Interactions, splits_of

# Columns of what was parsed that no feature is called by.
_LENGTHS, _TARGET_LENGTHS, _TARGET_PLACES = "lengths", "target_lengths", "target_offsets"


def read_histories(files: Sequence[str], catalog: Catalog) -> Interactions:
    """Read one split of Transform's output.

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
    return Interactions(
        user_id=column[features.USER_ID],
        user_index=column[features.USER_INDEX].astype(np.int32),
        context=np.stack([column[n] for n in features.USER_CONTEXT], 1).astype(np.int32),
        positions=_positions(column, catalog),
        splits=splits_of(column[_LENGTHS]),
        ratings=column[features.RATING],
        targets=_lookup(column[features.TARGET_ITEM_ID], catalog),
        target_splits=splits_of(column[_TARGET_LENGTHS]),
        target_ratings=column[features.TARGET_RATING],
        target_offsets=column[_TARGET_PLACES],
        num_vocabulary=catalog.num_vocabulary,
    )


def _records(files: Sequence[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(list(files), compression_type="GZIP").batch(4096).prefetch(2)


def _parse(batch: tf.Tensor) -> dict[str, np.ndarray]:
    scalar = tf.io.FixedLenFeature([], tf.int64)
    lists = {
        features.ITEM_INDEX: tf.int64,
        features.UNKNOWN_ITEM_ID: tf.string,
        features.RATING: tf.float32,
        features.TIMESTAMP: tf.int64,
        # Transform writes empty lists where a row has no target.
        features.TARGET_ITEM_ID: tf.string,
        features.TARGET_RATING: tf.float32,
        features.TARGET_TIMESTAMP: tf.int64,
    }
    specification = {
        features.USER_ID: tf.io.FixedLenFeature([], tf.string),
        features.USER_INDEX: scalar,
        **dict.fromkeys(features.USER_CONTEXT, scalar),
        **{name: tf.io.RaggedFeature(dtype) for name, dtype in lists.items()},
    }
    parsed = tf.io.parse_example(batch, specification)
    items, targets = parsed[features.ITEM_INDEX], parsed[features.TARGET_ITEM_ID]
    times, target_times = parsed.pop(features.TIMESTAMP), parsed.pop(features.TARGET_TIMESTAMP)
    for name in lists.keys() & parsed.keys():
        parsed[name] = parsed[name].flat_values
    return {
        **{name: value.numpy() for name, value in parsed.items()},
        _LENGTHS: items.row_lengths().numpy(),
        _TARGET_LENGTHS: targets.row_lengths().numpy(),
        _TARGET_PLACES: _places(times, target_times),
    }


def _places(times: tf.RaggedTensor, target_times: tf.RaggedTensor) -> np.ndarray:
    """Count how many of its row's times are not after each target's, int32 [M]."""
    rows = np.concatenate([part.value_rowids().numpy() for part in (times, target_times)])
    seconds = np.concatenate([part.flat_values.numpy() for part in (times, target_times)])
    is_target = np.arange(len(rows)) >= len(times.flat_values)
    order = np.lexsort((is_target, seconds, rows))
    before = np.cumsum(~is_target[order]) - times.row_starts().numpy()[rows[order]]
    places = np.empty(len(rows), np.int32)
    places[order] = before
    return places[is_target]


def _positions(column: dict[str, np.ndarray], catalog: Catalog) -> np.ndarray:
    """Positions of the interactions: Transform's indices, but for items without a row."""
    positions = column[features.ITEM_INDEX].astype(np.int32)
    unknown = positions >= catalog.num_vocabulary
    positions[unknown] = _lookup(column[features.UNKNOWN_ITEM_ID], catalog)
    if len(positions) and positions.min() < 0:
        raise UserError(
            f"{int(np.sum(positions < 0))} interactions have items that the catalog lacks; "
            f"expected the catalog of the same data."
        )
    return positions


def _lookup(ids: np.ndarray, catalog: Catalog) -> np.ndarray:
    """Positions of raw ids, int32; ABSENT for b"" and unknown ids."""
    rows = {item: row for row, item in enumerate(catalog.item_ids)}
    return np.asarray([rows.get(item, ABSENT) for item in ids], np.int32)
