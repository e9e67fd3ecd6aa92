"""How much of held-out rows an exported model knows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from components.evaluator.held_out import batches
from schema import features


@dataclasses.dataclass(frozen=True)
class Known:
    """Hold how many distinct ids of held-out rows a model knows.

    Attributes:
      users: users of the rows.
      known_users: those of them that training knew.
      items: items that the rows hold out.
      known_items: those of them that the model's catalogue has.
    """

    users: int
    known_users: int
    items: int
    known_items: int

    @property
    def share(self) -> float:
        """Return the share of known users or of known items, whichever is smaller, 0 to 1."""
        users = self.known_users / max(self.users, 1)
        return min(users, self.known_items / max(self.items, 1))

    def __str__(self) -> str:
        """Say it in words."""
        return (
            f"{self.known_users} of {self.users} users and {self.known_items} of {self.items} "
            f"held-out items"
        )


def count_known(model: Any, files: list[str]) -> Known:
    """Count the users and held-out items that a model knows.

    Args:
      model: a loaded SavedModel with the signatures `known_users` and `catalog`.
      files: TFRecord files of the held-out rows.

    Returns:
      The counts.
    """
    catalog = set(model.signatures["catalog"]()[features.ITEM_ID].numpy().tolist())
    users: dict[bytes, bool] = {}
    items: set[bytes] = set()
    for serialized in batches(files):
        rows = [tf.train.Example.FromString(record).features.feature for record in serialized]
        ids = [row[features.USER_ID].bytes_list.value[0] for row in rows]
        known = model.signatures["known_users"](user_id=tf.constant(ids))["known"].numpy()
        users.update(zip(ids, np.asarray(known, bool).tolist(), strict=True))
        items.update(item for row in rows for item in row[features.TARGET_ITEM_ID].bytes_list.value)
    return Known(len(users), sum(users.values()), len(items), len(items & catalog))
