"""Recommendations for a few users, through a pushed model loaded afresh.

A person reads them at the end of a run; they also prove that the pushed folder
works by itself.
"""

from __future__ import annotations

import dataclasses
import itertools
import os

import tensorflow as tf

from components.evaluator.held_out import batches
from schema import features

SIGNATURE = "recommend"


@dataclasses.dataclass(frozen=True)
class Recommendations:
    """Hold what the model shows one user.

    Attributes:
      user_id: whom.
      titles: best first; an item's id where it has no title.
    """

    user_id: str
    titles: list[str]


def recommend(model_path: str, examples_uri: str, users: int, k: int) -> list[Recommendations]:
    """Ask a SavedModel for the first users of the test split.

    Args:
      model_path: folder of a pushed SavedModel.
      examples_uri: Examples artifact with the test split; a user's history
        there is what must not be recommended again.
      users: how many users.
      k: how many titles each.

    Returns:
      One entry a user.
    """
    histories = _histories(examples_uri, users)
    width = max(len(items) for items in histories.values())
    seen = [items + [b""] * (width - len(items)) for items in histories.values()]
    # Signatures hold the model's tables weakly: the model must stay referenced.
    model = tf.saved_model.load(model_path)
    answer = model.signatures[SIGNATURE](
        user_id=tf.constant(list(histories)),
        exclude_item_id=tf.constant(seen),
        k=tf.constant(k, tf.int32),
    )
    rows = zip(
        histories, answer[features.ITEM_ID].numpy(), answer[features.TITLE].numpy(), strict=True
    )
    return [
        Recommendations(
            user.decode(),
            [(title or item).decode() for item, title in zip(items, titles, strict=True) if item],
        )
        for user, items, titles in rows
    ]


def _histories(examples_uri: str, count: int) -> dict[bytes, list[bytes]]:
    """Read the items seen by each of the first users of the test split."""
    # TFX keeps a split in a folder of this name.
    pattern = os.path.join(examples_uri, f"Split-{features.TEST}", "*")
    files = sorted(tf.io.gfile.glob(pattern))
    histories = {}
    rows = itertools.chain.from_iterable(batches(files, count))
    for record in itertools.islice(rows, count):
        row = tf.train.Example.FromString(record).features.feature
        user = row[features.USER_ID].bytes_list.value[0]
        histories[user] = list(row[features.ITEM_ID].bytes_list.value)
    return histories
