"""Raw rows and ids as tensors, and top-k lists: what the signatures share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from schema import features


def parse(examples: tf.Tensor, more: Sequence[str] = ()) -> dict[str, tf.RaggedTensor]:
    """Parse what the signatures read of raw rows.

    Args:
      examples: string [B], serialized tf.Examples of the interactions.
      more: further features that hold strings.

    Returns:
      Ragged [B, None] by feature name; empty rows where a feature is missing.
    """
    strings = (
        features.USER_ID,
        features.ITEM_ID,
        features.TARGET_ITEM_ID,
        features.CANDIDATE_ITEM_ID,
        *more,
    )
    specification = {
        **{name: tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64) for name in strings},
        features.AGE: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
        features.TARGET_RATING: tf.io.RaggedFeature(tf.float32, row_splits_dtype=tf.int64),
    }
    return tf.io.parse_example(examples, specification)


def first(values: tf.RaggedTensor, default: str | float) -> tf.Tensor:
    """Take each row's first value.

    Args:
      values: ragged [B, None].
      default: stands for it where a row is empty.

    Returns:
      [B], of the same dtype.
    """
    return values.to_tensor(default, shape=[None, 1])[:, 0]


def dense(values: tf.RaggedTensor, default: float, width: tf.Tensor) -> tf.Tensor:
    """Pad rows to a width.

    Args:
      values: ragged [B, None].
      default: stands past a row's last value.
      width: columns W, a scalar; what a longer row has more is left out.

    Returns:
      [B, W], of the same dtype.
    """
    padded = values.to_tensor(default)[:, :width]
    missing = width - tf.shape(padded, tf.int64)[1]
    return tf.pad(padded, [[0, 0], [0, missing]], constant_values=default)


def vocabulary(ids: Sequence[bytes], oov_buckets: int) -> tf.lookup.StaticVocabularyTable:
    """Make the lookup that Transform's vocabularies use.

    Args:
      ids: raw ids in the order of the vocabulary.
      oov_buckets: buckets after it, which other ids are hashed into by
        Fingerprint64 as tft.apply_vocabulary does.

    Returns:
      A table of string to int64.
    """
    rows = tf.lookup.KeyValueTensorInitializer(
        tf.constant(list(ids), tf.string), tf.range(len(ids), dtype=tf.int64)
    )
    return tf.lookup.StaticVocabularyTable(rows, oov_buckets)


def positions(ids: Sequence[bytes]) -> tf.lookup.StaticHashTable:
    """Make the lookup of catalog positions.

    Args:
      ids: raw item ids by position.

    Returns:
      A table of string to int32, -1 for other ids.
    """
    initializer = tf.lookup.KeyValueTensorInitializer(
        tf.constant(list(ids), tf.string), tf.range(len(ids))
    )
    return tf.lookup.StaticHashTable(initializer, default_value=-1)


def stored(values: np.ndarray | tf.Tensor, dtype: tf.DType) -> tf.Variable:
    """Store an array of the model's size; as a constant it would bloat the graph.

    Args:
      values: any shape.
      dtype: to store it as.

    Returns:
      A variable that is not trained.
    """
    return tf.Variable(tf.constant(values, dtype), trainable=False)


def at(rows: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """Gather rows, the last one where there is none to gather.

    Args:
      rows: [C + 1, ...].
      positions: int32 [...], -1 taking the last row.

    Returns:
      Of the shape of `positions`, and of a row's.
    """
    return tf.gather(rows, tf.where(positions < 0, tf.shape(rows)[0] - 1, positions))


def best_items(scores: tf.Tensor, excluded: tf.Tensor, k: tf.Tensor | int) -> list[tf.Tensor]:
    """Take the k best items of each row; of equal scores, the lower position first.

    Args:
      scores: float32 [B, C]; a NaN is never taken.
      excluded: bool [B, C], items left out.
      k: length of the lists.

    Returns:
      Scores, float32 [B, k] with -inf where no item is left, and positions,
      int32 [B, k] with -1 there.
    """
    scores = tf.where(excluded | tf.math.is_nan(scores), -np.inf, scores)
    best, positions = tf.math.top_k(scores, k=tf.minimum(k, tf.shape(scores)[1]))
    positions = tf.where(best > -np.inf, positions, -1)
    padding = [[0, 0], [0, k - tf.shape(best)[1]]]
    return [
        tf.pad(best, padding, constant_values=-np.inf),
        tf.pad(positions, padding, constant_values=-1),
    ]
