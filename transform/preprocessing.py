"""preprocessing_fn of the Transform component: raw ids and features to indices.

`custom_config` carries transform.config.TransformConfig as a dict.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from schema import features
from schema.settings import from_dict
from transform.config import SETTINGS_KEY, TransformConfig

_AS_THEY_CAME = (
    features.RATING,
    features.TIMESTAMP,
    features.TARGET_ITEM_ID,
    features.TARGET_RATING,
    features.TARGET_TIMESTAMP,
)


def preprocessing_fn(
    inputs: dict[str, Any], custom_config: dict[str, Any]
) -> dict[str, tf.Tensor | tf.SparseTensor]:
    """Map one batch of users to indices.

    Args:
      inputs: raw features by name (schema/interactions.pbtxt): [B, 1] tensors
        or SparseTensors, and SparseTensors for the lists.
      custom_config: `SETTINGS_KEY` holds TransformConfig as a dict.

    Returns:
      `user_id` as it came; `user_index` int64 [B, 1]; `item_index` and `rating` sparse lists;
      `unknown_item_id`, the raw ids of those list entries whose item has no
      vocabulary row; the context indices and `age` int64 [B, 1], 0 where unknown; `timestamp`,
      sparse as it came; and `target_item_id`, `target_rating` and `target_timestamp` sparse
      lists, empty in the train split.
    """
    settings = from_dict(TransformConfig, custom_config[SETTINGS_KEY], SETTINGS_KEY)
    items = inputs[features.ITEM_ID]
    item_index = _item_index(items, settings)
    known = item_index.values < _vocabulary_size(features.ITEM_VOCABULARY)
    users = _dense(inputs[features.USER_ID], "")
    return {
        features.USER_ID: users,
        features.USER_INDEX: _user_index(users, items, settings),
        features.ITEM_INDEX: item_index,
        features.UNKNOWN_ITEM_ID: _retained(items, tf.logical_not(known)),
        **{name: inputs[name] for name in _AS_THEY_CAME},
        features.GENDER_INDEX: _category(inputs[features.GENDER], features.GENDER_VOCABULARY),
        features.OCCUPATION_INDEX: _category(
            inputs[features.OCCUPATION], features.OCCUPATION_VOCABULARY
        ),
        features.AGE_INDEX: _age_index(inputs[features.AGE]),
        features.AGE: _dense(inputs[features.AGE], 0),
    }


def _item_index(items: tf.SparseTensor, settings: TransformConfig) -> tf.SparseTensor:
    """Vocabulary index of each list entry."""
    return tft.compute_and_apply_vocabulary(
        items,
        frequency_threshold=_threshold(settings.min_item_frequency),
        num_oov_buckets=settings.item_oov_buckets,
        vocab_filename=features.ITEM_VOCABULARY,
        name=features.ITEM_VOCABULARY,
    )


def _user_index(users: tf.Tensor, items: tf.SparseTensor, settings: TransformConfig) -> tf.Tensor:
    """Look up the vocabulary index of each user, whose frequency is the history's length."""
    ones = tf.SparseTensor(items.indices, tf.ones_like(items.values, tf.float32), items.dense_shape)
    lengths = tf.sparse.reduce_sum(ones, axis=1, keepdims=True)
    return tft.compute_and_apply_vocabulary(
        users,
        weights=lengths,
        frequency_threshold=_threshold(settings.min_user_frequency),
        num_oov_buckets=settings.user_oov_buckets,
        vocab_filename=features.USER_VOCABULARY,
        name=features.USER_VOCABULARY,
    )


def _retained(items: tf.SparseTensor, kept: tf.Tensor) -> tf.SparseTensor:
    """Keep the list entries where `kept` holds, moved to the left of their rows."""
    rows = tf.boolean_mask(items.indices[:, 0], kept)
    values = tf.boolean_mask(items.values, kept)
    return tf.RaggedTensor.from_value_rowids(values, rows, items.dense_shape[0]).to_sparse()


def _category(values: tf.SparseTensor, vocabulary: str) -> tf.Tensor:
    """Index an optional text feature: 0 where absent, else vocabulary row + 1."""
    index = tft.compute_and_apply_vocabulary(
        values, default_value=-1, vocab_filename=vocabulary, name=vocabulary
    )
    return _dense(index, -1) + 1


def _age_index(ages: tf.SparseTensor) -> tf.Tensor:
    """Index the age group: 0 where unknown, 1 below the first boundary, and so on."""
    age = _dense(ages, -1)
    boundaries = tf.constant(features.AGE_BOUNDARIES, tf.int64)
    group = 1 + tf.reduce_sum(tf.cast(age[:, :, None] >= boundaries, tf.int64), axis=2)
    return tf.where(age < 0, tf.zeros_like(group), group)


def _threshold(frequency: int) -> int | None:
    """Say "at least `frequency`" in TFT's form, which has no word for "at least 1"."""
    return frequency if frequency > 1 else None


def _vocabulary_size(name: str) -> tf.Tensor:
    return tf.cast(tft.experimental.get_vocabulary_size_by_name(name), tf.int64)


def _dense(values: tf.Tensor | tf.SparseTensor, default: str | int) -> tf.Tensor:
    """Make a [B, 1] tensor of a feature with at most one value a row."""
    if not isinstance(values, tf.SparseTensor):
        return values
    single = tf.SparseTensor(values.indices, values.values, [values.dense_shape[0], 1])
    return tf.sparse.to_dense(single, default)
