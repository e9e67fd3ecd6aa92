import pyarrow as pa
import pytest

from components.example_gen import counts, sort_and_dedupe
from components.example_gen.config import IngestConfig
from components.example_gen.splits import held_out
from schema.errors import UserError

LONG = [("u", "a", 1, 1), ("u", "b", 2, 2), ("u", "c", 3, 3), ("u", "d", 4, 4)]
SHORT = [("v", "a", 5, 9), ("v", "b", 4, 8)]


def split(table, **inputs):
    ordered, _ = sort_and_dedupe.sort_and_dedupe(table, IngestConfig())
    columns, found = held_out.split(ordered, held_out.SplitInputs(**inputs), IngestConfig())
    tables = {}
    for name, part in columns.items():
        rows = pa.table(part).to_pylist()
        tables[name] = {row.pop("user_id")[0].decode(): row for row in rows}
    return tables, found


def test_each_split_holds_out_one_more_interaction(interactions):
    rows, found = split(interactions(LONG))
    assert rows["train"] == {
        "u": {"item_id": [b"a", b"b"], "rating": [1.0, 2.0], "timestamp": [1, 2]}
    }
    assert rows["valid"]["u"] == {
        **rows["train"]["u"],
        "target_item_id": [b"c"],
        "target_rating": [3.0],
        "target_timestamp": [3],
    }
    assert rows["test"]["u"] == {
        "item_id": [b"a", b"b", b"c"],
        "rating": [1.0, 2.0, 3.0],
        "timestamp": [1, 2, 3],
        "target_item_id": [b"d"],
        "target_rating": [4.0],
        "target_timestamp": [4],
    }
    assert found == {
        counts.INTERACTIONS: 4,
        counts.USERS: 1,
        counts.USERS_IN_TRAIN_ONLY: 0,
        counts.USERS_NOT_IN_TRAIN: 0,
        counts.HELD_OUT_UNUSED: 0,
    }


def test_three_interactions_are_the_fewest_that_hold_out(interactions):
    rows, found = split(interactions([*LONG[:3], *SHORT, ("w", "z", 3, 3)]))
    assert {user: row["item_id"] for user, row in rows["train"].items()} == {
        "u": [b"a"],
        "v": [b"b", b"a"],
        "w": [b"z"],
    }
    assert rows["valid"].keys() == rows["test"].keys() == {"u"}
    assert found[counts.USERS] == 3
    assert found[counts.USERS_IN_TRAIN_ONLY] == 2


def test_nobody_with_enough_interactions_leaves_held_out_splits_empty(interactions):
    rows, _ = split(interactions(SHORT))
    assert rows["valid"] == rows["test"] == {}
    assert rows["train"].keys() == {"v"}


def test_no_interactions_give_no_rows(interactions):
    rows, found = split(interactions(LONG).slice(0, 0))
    assert rows == {"train": {}, "valid": {}, "test": {}}
    assert found[counts.INTERACTIONS] == 0


def test_a_brought_held_out_row_is_the_test_target_whatever_its_time(interactions):
    rows, _ = split(interactions(LONG, held_out=[("u", "z", 5, 0)]), brings_held_out=True)
    assert rows["train"]["u"]["item_id"] == [b"a", b"b", b"c"]
    assert rows["valid"]["u"]["item_id"] == [b"a", b"b", b"c"]
    assert rows["valid"]["u"]["target_item_id"] == [b"d"]
    assert rows["test"]["u"]["item_id"] == [b"a", b"b", b"c", b"d"]
    assert rows["test"]["u"]["target_item_id"] == [b"z"]
    assert rows["test"]["u"]["target_timestamp"] == [0]


def test_held_out_rows_that_cannot_be_asked_for_are_left_out_and_counted(interactions):
    # u: nothing held out; v: one interaction and a held-out one; w: a held-out one only.
    table = interactions([*LONG, ("v", "a", 5, 9)], held_out=[("v", "z", 5, 10), ("w", "z", 5, 10)])
    rows, found = split(table, brings_held_out=True)
    assert {user: row["item_id"] for user, row in rows["train"].items()} == {
        "u": [b"a", b"b", b"c", b"d"],
        "v": [b"a"],
    }
    assert rows["valid"] == rows["test"] == {}
    assert found == {
        counts.INTERACTIONS: 5,
        counts.USERS: 2,
        counts.USERS_IN_TRAIN_ONLY: 2,
        counts.USERS_NOT_IN_TRAIN: 1,
        counts.HELD_OUT_UNUSED: 2,
    }


def test_user_features_are_joined_and_may_be_missing(interactions):
    users = pa.table(
        {
            "user_id": ["x", "u"],
            "gender": ["M", "F"],
            "age": pa.array([3, None], pa.int64()),
        }
    )
    rows, found = split(interactions(LONG + SHORT), users=users)
    # v; x has a description and no interactions.
    assert found[counts.USERS_MISSING_FROM_USERS_FILE] == 1
    for name in ("train", "valid", "test"):
        assert rows[name]["u"]["gender"] == [b"F"]
        assert rows[name]["u"]["age"] is None
        assert "occupation" not in rows[name]["u"]
    assert rows["train"]["v"]["gender"] is None


def test_a_user_described_twice_is_refused(interactions):
    users = pa.table({"user_id": ["u", "u"], "gender": ["M", "F"]})
    with pytest.raises(UserError, match="user 'u' occurs more than once"):
        split(interactions(LONG), users=users)


def test_candidates_go_to_the_test_row_of_their_target(interactions):
    candidates = pa.table(
        {
            "user_id": ["u", "u", "w"],
            "target_item_id": ["c", "d", "z"],
            "candidate_item_id": [["x"], ["y", "z"], ["q"]],
        }
    )
    other = [("t", "a", 1, 1), ("t", "b", 2, 2), ("t", "c", 3, 3)]
    rows, _ = split(interactions(LONG + other), candidates=candidates)
    assert rows["test"]["u"]["candidate_item_id"] == [b"y", b"z"]
    assert rows["test"]["t"]["candidate_item_id"] is None
    assert "candidate_item_id" not in rows["valid"]["u"]
