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
from transform.vocabularies import VocabularySource, write_vocabularies

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
    users = _dense(inputs[features.USER_ID], "")
    paths = write_vocabularies(_sources(inputs, users, settings))
    item_index, num_items = _lookup(
        items, paths[features.ITEM_VOCABULARY], settings.item_oov_buckets
    )
    user_index, _ = _lookup(users, paths[features.USER_VOCABULARY], settings.user_oov_buckets)
    return {
        features.USER_ID: users,
        features.USER_INDEX: user_index,
        features.ITEM_INDEX: item_index,
        features.UNKNOWN_ITEM_ID: _retained(items, item_index.values >= num_items),
        **{name: inputs[name] for name in _AS_THEY_CAME},
        features.GENDER_INDEX: _category(
            inputs[features.GENDER], paths[features.GENDER_VOCABULARY]
        ),
        features.OCCUPATION_INDEX: _category(
            inputs[features.OCCUPATION], paths[features.OCCUPATION_VOCABULARY]
        ),
        features.AGE_INDEX: _age_index(inputs[features.AGE]),
        features.AGE: _dense(inputs[features.AGE], 0),
    }


def _sources(
    inputs: dict[str, Any], users: tf.Tensor, settings: TransformConfig
) -> dict[str, VocabularySource]:
    """Say what each vocabulary holds; a user weighs what the history is long."""
    items = inputs[features.ITEM_ID]
    lengths = tf.math.bincount(
        tf.cast(items.indices[:, 0], tf.int32),
        minlength=tf.size(users),
        maxlength=tf.size(users),
        dtype=tf.float32,
    )
    return {
        features.ITEM_VOCABULARY: VocabularySource(
            items.values, min_weight=settings.min_item_frequency
        ),
        features.USER_VOCABULARY: VocabularySource(
            users[:, 0], lengths, settings.min_user_frequency
        ),
        features.GENDER_VOCABULARY: VocabularySource(inputs[features.GENDER].values),
        features.OCCUPATION_VOCABULARY: VocabularySource(inputs[features.OCCUPATION].values),
    }


def _lookup(
    values: tf.Tensor | tf.SparseTensor, path: tf.Tensor, oov_buckets: int
) -> tuple[tf.Tensor | tf.SparseTensor, tf.Tensor]:
    """Return the vocabulary index of each value, and the number of entries."""
    sizes: list[tf.Tensor] = []

    def look_up(values: tf.Tensor, file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        table = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                file,
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            oov_buckets,
        )
        sizes.append(table.size() - oov_buckets)
        return table.lookup(values), table.size()

    index = tft.apply_vocabulary(values, path, num_oov_buckets=oov_buckets, lookup_fn=look_up)
    return index, sizes[0]


def _retained(items: tf.SparseTensor, kept: tf.Tensor) -> tf.SparseTensor:
    """Keep the list entries where `kept` holds, moved to the left of their rows."""
    rows = tf.boolean_mask(items.indices[:, 0], kept)
    values = tf.boolean_mask(items.values, kept)
    return tf.RaggedTensor.from_value_rowids(values, rows, items.dense_shape[0]).to_sparse()


def _category(values: tf.SparseTensor, path: tf.Tensor) -> tf.Tensor:
    """Index an optional text feature: 0 where absent, else vocabulary row + 1."""
    index = tft.apply_vocabulary(values, path, default_value=-1)
    return _dense(index, -1) + 1


def _age_index(ages: tf.SparseTensor) -> tf.Tensor:
    """Index the age group: 0 where unknown, 1 below the first boundary, and so on."""
    age = _dense(ages, -1)
    boundaries = tf.constant(features.AGE_BOUNDARIES, tf.int64)
    group = 1 + tf.reduce_sum(tf.cast(age[:, :, None] >= boundaries, tf.int64), axis=2)
    return tf.where(age < 0, tf.zeros_like(group), group)


def _dense(values: tf.Tensor | tf.SparseTensor, default: str | int) -> tf.Tensor:
    """Make a [B, 1] tensor of a feature with at most one value a row."""
    if not isinstance(values, tf.SparseTensor):
        return values
    single = tf.SparseTensor(values.indices, values.values, [values.dense_shape[0], 1])
    return tf.sparse.to_dense(single, default)
