"""k-core of the interactions: few-interaction users and items pruned together.

It needs all pairs at once, so it runs on one worker, over integer codes: 8
bytes an interaction at its peak for the codes and as much again while it
shrinks.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from components.example_gen.io import tables
from schema import features


def core(pairs: pa.Table, min_user: int, min_item: int) -> tuple[pa.Array, pa.Array]:
    """Find the users and items that keep enough of each other.

    Drops users with fewer than `min_user` and items with fewer than `min_item`
    of the remaining pairs, again and again until nothing changes; the result,
    the largest set in which both hold, does not depend on the order of
    dropping (Seidman 1983, on the bipartite graph).

    Args:
      pairs: distinct (user, item) pairs, the columns `user_id` and `item_id`.
      min_user: items that a user must keep.
      min_item: users that an item must keep.

    Returns:
      The ids of the users and of the items left, string arrays, unordered.
    """
    users = tables.encoded(pairs, features.USER_ID)
    items = tables.encoded(pairs, features.ITEM_ID)
    user = users.indices.to_numpy(zero_copy_only=False)
    item = items.indices.to_numpy(zero_copy_only=False)
    while len(user):
        user_kept = np.bincount(user, minlength=len(users.dictionary)) >= min_user
        item_kept = np.bincount(item, minlength=len(items.dictionary)) >= min_item
        kept = user_kept[user] & item_kept[item]
        if kept.all():
            break
        user, item = user[kept], item[kept]
    return (
        users.dictionary.take(pa.array(np.unique(user))),
        items.dictionary.take(pa.array(np.unique(item))),
    )
