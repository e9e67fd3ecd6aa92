"""No split shows training, or a history, what it may not know; on generated interactions.

Times are few, so that many are equal; the order of a user's interactions is
then sort_and_dedupe's, which these tests take as given.
"""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.example_gen import counts, sort_and_dedupe
from components.example_gen.config import IngestConfig
from components.example_gen.io import tables
from components.example_gen.splits import held_out, time_cutoffs
from schema.errors import UserError

KINDS = {
    "leave_one_out": {},
    "temporal": {"split": "temporal", "test_share": 0.3, "valid_share": 0.3},
    "user_ratio": {"split": "user_ratio", "test_share": 0.4, "valid_share": 0.3},
    "user_ratio_random": {"split": "user_ratio", "test_share": 0.4, "draw": "random"},
    "random": {"split": "random", "test_share": 0.4, "valid_share": 0.4},
}
BY_TIME = ("leave_one_out", "temporal", "user_ratio")
SPLITS = ("train", "valid", "test")

interactions_lists = st.lists(
    st.tuples(
        st.integers(0, 5).map("u{}".format),
        st.integers(0, 9).map("i{}".format),
        st.sampled_from([1.0, 3.5, 5.0]),
        st.integers(0, 12),
    ),
    min_size=1,
    max_size=60,
)

pytestmark = pytest.mark.seconds


class Split:
    """What a split made of interactions, as plain lists."""

    def __init__(self, written, kind, partitions=1):
        config = IngestConfig(**KINDS[kind])
        users, items, ratings, times = zip(*written, strict=True)
        table = pa.table(
            {
                "user_id": pa.array(users, pa.string()),
                "item_id": pa.array(items, pa.string()),
                "rating": pa.array(ratings, pa.float32()),
                "timestamp": pa.array(times, pa.int64()),
            }
        )
        parts = [part for _, part in tables.scatter(table, "user_id", partitions)]
        ordered = [
            sort_and_dedupe.sort_and_dedupe(sort_and_dedupe.flag_held_out(part, False), config)[0]
            for part in parts
        ]
        found = None
        if kind == "temporal":
            found = time_cutoffs.find(
                pa.concat_tables(map(time_cutoffs.count_times, ordered)), config
            )
        # Of each user the items and times in their order.
        self.order, self.time = {}, {}
        self.counts = dict.fromkeys(counts.INTERACTION_COUNTS, 0)
        self.rows = {name: {} for name in SPLITS}
        for part in ordered:
            for row in part.to_pylist():
                self.order.setdefault(row["user_id"], []).append(row["item_id"])
                self.time[row["user_id"], row["item_id"]] = row["timestamp"]
            columns, counted = held_out.split(part, held_out.SplitInputs(cutoffs=found), config)
            for name, value in counted.items():
                self.counts[name] += value
            for name in SPLITS:
                for row in pa.table(columns[name]).to_pylist():
                    user = row["user_id"][0].decode()
                    assert user not in self.rows[name]
                    self.rows[name][user] = {
                        column: [item.decode() for item in row[column]]
                        for column in ("item_id", "target_item_id")
                        if column in row
                    }

    def history(self, name, user):
        return self.rows[name].get(user, {}).get("item_id", [])

    def targets(self, name, user):
        return self.rows[name].get(user, {}).get("target_item_id", [])


def make(written, kind, **options):
    try:
        return Split(written, kind, **options)
    except UserError:
        # Too few different times.
        assert kind == "temporal"
        return None


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(interactions_lists)
def test_what_is_held_out_is_in_no_history_of_its_split_or_an_earlier_one(kind, written):
    split = make(written, kind)
    for user in split.order if split else ():
        train, valid, test = (split.history(name, user) for name in SPLITS)
        held = {name: split.targets(name, user) for name in ("valid", "test")}
        assert not {*held["valid"], *held["test"]} & {*train, *split.history("valid", user)}
        assert not {*held["test"]} & {*test}
        assert not {*held["test"]} & {*held["valid"]}
        if valid:
            assert valid == train
        if test:
            assert {*test} >= {*train, *held["valid"]}
        # Nothing is lost or doubled, and all lists are in the one order of time.
        for listed in (train, valid, test, *held.values()):
            assert listed == [item for item in split.order[user] if item in listed]


@pytest.mark.parametrize("kind", BY_TIME)
@settings(max_examples=60, deadline=None)
@given(interactions_lists)
def test_training_and_histories_end_before_the_first_target_of_their_user(kind, written):
    split = make(written, kind)
    for user in split.order if split else ():
        order = split.order[user]
        for name in ("valid", "test"):
            for target in split.targets(name, user):
                at = order.index(target)
                assert all(order.index(item) < at for item in split.history(name, user))
                assert all(order.index(item) < at for item in split.history("train", user))
        for target in split.targets("test", user):
            at = order.index(target)
            assert all(order.index(item) < at for item in split.targets("valid", user))


@settings(max_examples=100, deadline=None)
@given(interactions_lists)
def test_temporal_training_and_histories_end_before_the_first_target_of_anyone(written):
    split = make(written, "temporal")
    if split is None:
        return

    def times(name, column):
        rows = split.rows[name].items()
        return [split.time[user, item] for user, row in rows for item in row[column]]

    train = max(times("train", "item_id"))
    valid, test = times("valid", "target_item_id"), times("test", "target_item_id")
    assert all(train < time for time in [*valid, *test])
    assert all(max(times("valid", "item_id")) < time for time in valid)
    # With `refit`, training sees the validation targets too.
    assert all(max([*times("test", "item_id"), *valid]) < time for time in test)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(interactions_lists, st.randoms(use_true_random=False), st.integers(2, 4))
def test_neither_order_nor_partitions_change_anything(kind, written, random, partitions):
    # Of a pair's equal times and ratings it does not matter which is kept.
    split = make(written, kind)
    if split is None:
        return
    shuffled = list(written)
    random.shuffle(shuffled)
    other = make(shuffled, kind, partitions=partitions)
    assert other.rows == split.rows
    assert other.counts == split.counts


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(interactions_lists)
def test_counts_are_those_of_the_rows(kind, written):
    split = make(written, kind)
    if split is None:
        return
    rows = split.rows
    seen = {
        (user, item)
        for name in SPLITS
        for user, row in rows[name].items()
        for listed in row.values()
        for item in listed
    }
    asked = rows["valid"].keys() | rows["test"].keys()
    expected = {
        counts.INTERACTIONS: len(seen),
        counts.USERS: len(rows["train"].keys() | asked),
        counts.USERS_IN_TRAIN_ONLY: len(rows["train"].keys() - asked),
        counts.USERS_NOT_IN_TRAIN: len(split.order) - len(rows["train"]),
        counts.HELD_OUT_UNUSED: len(split.time) - len(seen),
    }
    assert {name: split.counts[name] for name in expected} == expected
    if kind != "temporal":
        assert split.counts[counts.HELD_OUT_UNUSED] == 0
        assert len(rows["train"]) == len(split.order)
    # Linear: each interaction is written three times at the most.
    written_cells = sum(len(r[c]) for name in SPLITS for r in rows[name].values() for c in r)
    assert written_cells <= 3 * len(split.time)
