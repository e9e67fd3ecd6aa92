"""Users' pairs with a positive and its sampled negatives."""

from __future__ import annotations

import tensorflow as tf

from trainer.data.batches import NEGATIVES, POSITIVE
from trainer.models.base import Recommender


def sampled_items(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
    """Put each positive before its sampled negatives.

    Args:
      inputs: a batch of trainer.data.batches.TrainingData with negatives.

    Returns:
      int32 [B, 1 + n], positions in the catalog.
    """
    return tf.concat([inputs[POSITIVE][:, None], inputs[NEGATIVES]], axis=1)


def pair_embeddings(
    model: Recommender, items: tf.Tensor, training: bool, whole_catalog: bool = True
) -> tf.Tensor:
    """Embed the items of pairs, each item once where that is less work.

    Args:
      model: embeds.
      items: int32 [B, K], positions in the catalog.
      training: whether dropout and the like act.
      whole_catalog: whether embedding the whole catalog gives the same, as it
        does unless an item's embedding depends on what else is embedded.

    Returns:
      float32 [B, K, D].
    """
    pairs = items.shape.num_elements()
    if whole_catalog and pairs and model.catalog.size <= pairs:
        return tf.gather(model.item_embedding(tf.range(model.catalog.size), training), items)
    embeddings = model.item_embedding(tf.reshape(items, [-1]), training)
    return tf.reshape(embeddings, [*tf.unstack(tf.shape(items)), embeddings.shape[-1]])
