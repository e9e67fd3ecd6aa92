"""Item embeddings for TensorBoard's embedding projector.

https://www.tensorflow.org/tensorboard/tensorboard_projector_plugin: a text
configuration beside the event files names a matrix and a table of labels.
"""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf

from trainer.data.catalog import Catalog
from trainer.models.base import Recommender

# The projector reads text and shows no more points than this in the browser.
MOST_ITEMS = 10_000


def write(model: Recommender, catalog: Catalog, logs: str) -> None:
    """Write the embeddings of the most popular items with their titles.

    Args:
      model: encodes the items.
      catalog: with counts; gives titles, genres and ids.
      logs: TensorBoard's folder.
    """
    chosen = np.sort(np.argsort(-catalog.counts, kind="stable")[:MOST_ITEMS])
    embeddings = model.item_embedding(tf.constant(chosen, tf.int32)).numpy()
    genres = [
        "|".join(np.asarray(catalog.genre_names, object)[row > 0]) for row in catalog.genres[chosen]
    ]
    titles = catalog.shown_titles()
    rows = ["title\tgenres\titem_id\tinteractions"]
    for position, names in zip(chosen, genres, strict=True):
        title = titles[position].decode(errors="replace")
        cells = (title, names, catalog.item_ids[position].decode(errors="replace"))
        # A tab or line break in a cell would shift the table.
        plain = (" ".join(cell.split()) for cell in cells)
        rows.append("\t".join([*plain, str(catalog.counts[position])]))
    _write(logs, "items_metadata.tsv", rows)
    _write(logs, "items.tsv", ["\t".join(f"{value:.6g}" for value in row) for row in embeddings])
    lines = [
        'embeddings { tensor_name: "items"',
        ' tensor_path: "items.tsv" metadata_path: "items_metadata.tsv" }',
    ]
    _write(logs, "projector_config.pbtxt", lines)


def _write(folder: str, name: str, lines: list[str]) -> None:
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(os.path.join(folder, name), "w") as file:
        file.write("\n".join(lines) + "\n")
