import random

import pytest

from components.example_gen import counts, sort_and_dedupe
from components.example_gen.config import IngestConfig
from schema.errors import UserError


def sort(table, **config):
    kept, found = sort_and_dedupe.sort_and_dedupe(table, IngestConfig(**config))
    by_user = {}
    for row in kept.to_pylist():
        by_user.setdefault(row["user_id"], []).append(row["item_id"])
    return by_user, found, kept


def test_interactions_come_by_user_in_time_order(interactions):
    rows = [("u", "c", 1, 30), ("v", "a", 2, 5), ("u", "a", 3, 10), ("u", "b", 4, 20)]
    by_user, found, kept = sort(interactions(rows))
    assert by_user == {"u": ["a", "b", "c"], "v": ["a"]}
    assert found == {counts.DUPLICATES: 0, counts.DROPPED_BY_RATING: 0}
    users = kept["user_id"].to_pylist()
    assert users in (["u", "u", "u", "v"], ["v", "u", "u", "u"])


def test_order_of_rows_does_not_matter_even_where_timestamps_tie(interactions):
    rng = random.Random(3)
    rows = [
        (f"u{rng.randrange(6)}", f"i{rng.randrange(12)}", rng.randrange(1, 6), rng.randrange(4))
        for _ in range(300)
    ]
    first = sort(interactions(rows))[2].to_pylist()
    for _ in range(5):
        rng.shuffle(rows)
        assert sort(interactions(rows))[2].to_pylist() == first


def test_the_seed_decides_ties_and_nothing_else(interactions):
    tied = [("u", f"i{n}", 3, 7) for n in range(10)]
    ordered = [("v", f"i{n}", 3, n) for n in range(10)]
    table = interactions(tied + ordered)
    first, second = sort(table, seed=1)[0], sort(table, seed=2)[0]
    assert first["v"] == second["v"] == [f"i{n}" for n in range(10)]
    assert first["u"] != second["u"]
    assert sorted(first["u"]) == sorted(second["u"])


def test_ties_are_ordered_differently_for_different_users(interactions):
    rows = [(user, f"i{n}", 3, 7) for user in "uvw" for n in range(10)]
    by_user = sort(interactions(rows))[0]
    assert len({tuple(items) for items in by_user.values()}) == 3


def test_the_newest_of_duplicates_is_kept(interactions):
    rows = [("u", "a", 5, 10), ("u", "b", 3, 20), ("u", "a", 2, 30), ("u", "a", 4, 5)]
    by_user, found, kept = sort(interactions(rows))
    assert by_user == {"u": ["b", "a"]}
    assert kept["rating"].to_pylist() == [3, 2]
    assert found[counts.DUPLICATES] == 2


def test_of_duplicates_at_one_time_the_higher_rating_is_kept(interactions):
    kept = sort(interactions([("u", "a", 2, 10), ("u", "a", 4, 10), ("u", "a", 1, 10)]))[2]
    assert kept["rating"].to_pylist() == [4]


def test_an_old_high_rating_does_not_survive_a_new_low_one(interactions):
    rows = [("u", "a", 5, 10), ("u", "a", 2, 30), ("u", "b", 4, 20), ("v", "b", 3.5, 1)]
    by_user, found, _ = sort(interactions(rows), min_rating=4.0)
    assert by_user == {"u": ["b"]}
    assert found == {counts.DUPLICATES: 1, counts.DROPPED_BY_RATING: 2}


def test_a_held_out_row_comes_last_and_wins_over_a_duplicate(interactions):
    rows = [("u", "a", 5, 10), ("u", "b", 5, 20), ("u", "c", 5, 99)]
    by_user, found, kept = sort(interactions(rows, held_out=[("u", "a", 1, 0)]))
    assert by_user == {"u": ["b", "c", "a"]}
    assert kept[sort_and_dedupe.HELD_OUT].to_pylist() == [False, False, True]
    assert found[counts.DUPLICATES] == 1


def test_several_held_out_rows_of_a_user_are_refused(interactions):
    table = interactions([("u", "a", 5, 10)], held_out=[("u", "b", 1, 0), ("u", "c", 1, 0)])
    with pytest.raises(UserError, match="user 'u' has several held-out interactions"):
        sort(table)
