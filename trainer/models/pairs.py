"""Users' pairs with a positive and its sampled negatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    (embeddings,) = parted_pair_embeddings(
        model, items, training, lambda rows: (rows,), whole_catalog
    )
    return embeddings


def parted_pair_embeddings(
    model: Recommender,
    items: tf.Tensor,
    training: bool,
    part: Callable[[tf.Tensor], Sequence[tf.Tensor]],
    whole_catalog: bool = True,
) -> list[tf.Tensor]:
    """Embed the items of pairs, cut into parts before the rows of pairs are gathered.

    Args:
      model: see pair_embeddings.
      items: see pair_embeddings.
      training: see pair_embeddings.
      part: cuts embeddings, float32 [K, D], into some of fewer columns.
      whole_catalog: see pair_embeddings.

    Returns:
      Of each part, float32 [B, K, columns].
    """
    pairs = items.shape.num_elements()
    if whole_catalog and pairs and model.catalog.size <= pairs:
        everything = model.item_embedding(tf.range(model.catalog.size), training)
        return [tf.gather(rows, items) for rows in part(everything)]
    embeddings = model.item_embedding(tf.reshape(items, [-1]), training)
    shape = tf.unstack(tf.shape(items))
    return [tf.reshape(rows, [*shape, rows.shape[-1]]) for rows in part(embeddings)]
