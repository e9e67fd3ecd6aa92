import random
from collections import Counter

import pyarrow as pa
import pytest

from components.example_gen import kcore


def naive_core(pairs, min_user, min_item):
    """Removes one offending user or item at a time until none is left."""
    pairs = set(pairs)
    while True:
        users, items = Counter(u for u, _ in pairs), Counter(i for _, i in pairs)
        poor = next((u for u, n in users.items() if n < min_user), None)
        if poor is not None:
            pairs = {p for p in pairs if p[0] != poor}
            continue
        rare = next((i for i, n in items.items() if n < min_item), None)
        if rare is None:
            return set(users), set(items)
        pairs = {p for p in pairs if p[1] != rare}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("min_user", "min_item"), [(1, 1), (3, 1), (1, 3), (3, 3), (5, 2), (9, 9)])
def test_the_core_is_what_a_naive_loop_leaves(seed, min_user, min_item):
    rng = random.Random(seed)
    pairs = list({(f"u{rng.randrange(30)}", f"i{rng.randrange(20)}") for _ in range(120)})
    users, items = zip(*pairs, strict=True)
    table = pa.table({"user_id": list(users), "item_id": list(items)})
    left = kcore.core(table, min_user, min_item)
    assert (set(left[0].to_pylist()), set(left[1].to_pylist())) == naive_core(
        pairs, min_user, min_item
    )


def test_a_chain_unravels_to_nothing():
    # Every user has two items and every item but the last two users: all go, one by one.
    pairs = [(f"u{n}", f"i{n + step}") for n in range(50) for step in (0, 1)]
    users, items = zip(*pairs, strict=True)
    left = kcore.core(pa.table({"user_id": list(users), "item_id": list(items)}), 2, 2)
    assert [len(ids) for ids in left] == [0, 0]
