"""What each kind of split holds out, and its options."""

import numpy as np
import pyarrow as pa
import pytest

from components.example_gen import counts, sort_and_dedupe
from components.example_gen.component import InteractionsExampleGen
from components.example_gen.config import IngestConfig
from components.example_gen.splits import held_out
from components.example_gen.splits.assignment import SPLITS, TEST, TRAIN, VALID
from components.example_gen.splits.time_cutoffs import TimeCutoffs
from schema.errors import UserError
from tests.support import synthetic
from tests.support.choices import choose, names_of


def split(table, cutoffs=None, **settings):
    """Rows by user, their lists decoded, and counts."""
    config = IngestConfig(**settings)
    ordered, _ = sort_and_dedupe.sort_and_dedupe(table, config)
    columns, found = held_out.split(ordered, held_out.SplitInputs(cutoffs=cutoffs), config)
    parts = {}
    for name, part in columns.items():
        rows = pa.table(part).to_pylist()
        parts[name] = {row.pop("user_id")[0].decode(): row for row in rows}
    return parts, found


def items(row, name="item_id"):
    return [item.decode() for item in row[name]]


def pairs(part, name):
    return {(user, item) for user, row in part.items() for item in items(row, name)}


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    return [
        (f"u{user}", f"i{item}", float(random.integers(1, 6)), int(random.integers(1, 10**6)))
        for user in range(60)
        for item in random.choice(80, 40, replace=False)
    ]


def test_random_shares_are_of_all_ratings(rows, interactions):
    parts, found = split(interactions(rows), split="random", test_share=0.3, valid_share=0.2)
    valid, test = (pairs(parts[name], "target_item_id") for name in ("valid", "test"))
    # Five standard deviations of a binomial share of 2,400.
    assert len(test) / 2400 == pytest.approx(0.3, abs=0.047)
    assert len(valid) / 2400 == pytest.approx(0.7 * 0.2, abs=0.035)
    assert found[counts.USERS] == 60
    shares = {len(row["target_item_id"]) for row in parts["test"].values()}
    assert len(shares) > 5


def test_random_leaves_a_user_something_to_train_on(interactions):
    table = interactions([(f"u{n}", "a", 3.0, n) for n in range(50)])
    parts, found = split(table, split="random")
    assert len(parts["train"]) == 50
    assert parts["valid"] == parts["test"] == {}
    assert found[counts.USERS_IN_TRAIN_ONLY] == 50


@pytest.mark.parametrize("settings", [{"split": "random"}, {"split": "user_ratio"}])
def test_targets_come_in_the_order_of_time_with_their_ratings(rows, interactions, settings):
    parts, _ = split(interactions(rows), **settings)
    written = {row[:2]: row[2:] for row in rows}
    for part in (parts["valid"], parts["test"]):
        assert max(len(row["target_item_id"]) for row in part.values()) > 1
        for user, row in part.items():
            for prefix in ("", "target_"):
                times = [written[user, item][1] for item in items(row, f"{prefix}item_id")]
                ratings = [written[user, item][0] for item in items(row, f"{prefix}item_id")]
                assert times == row[f"{prefix}timestamp"] == sorted(times)
                assert ratings == row[f"{prefix}rating"]


@pytest.mark.parametrize(
    "settings", [{"split": "random"}, {"split": "user_ratio", "draw": "random"}]
)
def test_the_seed_alone_decides_random_draws(rows, interactions, settings):
    first, again, other = (
        split(interactions(given), seed=seed, **settings)[0]
        for given, seed in ((rows, 1), (rows[::-1], 1), (rows, 2))
    )
    assert first == again
    assert first["test"] != other["test"]


def test_each_user_gives_the_newest_share(interactions):
    # 10: test 2, valid 0.25 of 8; 3: at least one in each; 2: too few.
    table = [("u", f"i{n}", 3.0, n) for n in range(10)]
    table += [("v", f"i{n}", 3.0, -n) for n in range(3)] + [
        ("w", "i0", 3.0, 1),
        ("w", "i1", 3.0, 2),
    ]
    parts, found = split(interactions(table), split="user_ratio", test_share=0.2, valid_share=0.25)
    assert {user: items(row) for user, row in parts["train"].items()} == {
        "u": [f"i{n}" for n in range(6)],
        "v": ["i2"],
        "w": ["i0", "i1"],
    }
    assert items(parts["valid"]["u"], "target_item_id") == ["i6", "i7"]
    assert items(parts["test"]["u"]) == [f"i{n}" for n in range(8)]
    assert items(parts["test"]["u"], "target_item_id") == ["i8", "i9"]
    assert items(parts["valid"]["v"], "target_item_id") == ["i1"]
    assert items(parts["test"]["v"], "target_item_id") == ["i0"]
    assert parts["valid"].keys() == parts["test"].keys() == {"u", "v"}
    assert found == {
        counts.INTERACTIONS: 15,
        counts.USERS: 3,
        counts.USERS_IN_TRAIN_ONLY: 1,
        counts.USERS_NOT_IN_TRAIN: 0,
        counts.HELD_OUT_UNUSED: 0,
    }


def test_large_shares_leave_each_split_one_interaction(interactions):
    table = interactions([("u", f"i{n}", 3.0, n) for n in range(4)])
    parts, _ = split(table, split="user_ratio", test_share=0.9, valid_share=0.9)
    assert [items(parts["train"]["u"]), items(parts["valid"]["u"], "target_item_id")] == [
        ["i0"],
        ["i1"],
    ]
    assert items(parts["test"]["u"], "target_item_id") == ["i2", "i3"]


def test_random_draws_of_a_user_ratio_keep_each_users_share(rows, interactions):
    newest, _ = split(interactions(rows), split="user_ratio")
    drawn, _ = split(interactions(rows), split="user_ratio", draw="random")
    for parts in (newest, drawn):
        assert {len(row["target_item_id"]) for row in parts["test"].values()} == {8}
        assert {len(row["target_item_id"]) for row in parts["valid"].values()} == {3}
    last = {user: row["target_timestamp"][-1] for user, row in newest["test"].items()}
    drawn_last = [row["target_timestamp"][-1] == last[user] for user, row in drawn["test"].items()]
    # A fifth of each user's interactions is drawn, and so of the last ones.
    assert sum(drawn_last) / 60 == pytest.approx(0.2, abs=0.2)


def test_temporal_parts_all_users_at_the_same_points_in_time(interactions):
    table = interactions(
        [
            *[("u", "a", 3, 1), ("u", "b", 3, 5), ("u", "c", 3, 9)],
            *[("old", "a", 3, 2), ("old", "b", 3, 4)],
            *[("later", "a", 3, 5), ("later", "b", 3, 8), ("later", "c", 3, 10)],
            *[("last", "a", 3, 8), ("last", "b", 3, 9), ("valid only", "a", 3, 6)],
        ]
    )
    parts, found = split(table, TimeCutoffs(valid=5, test=8), split="temporal")
    assert {user: items(row) for user, row in parts["train"].items()} == {
        "u": ["a"],
        "old": ["a", "b"],
    }
    assert {user: items(row, "target_item_id") for user, row in parts["valid"].items()} == {
        "u": ["b"]
    }
    assert {user: items(row) for user, row in parts["test"].items()} == {
        "u": ["a", "b"],
        "later": ["a"],
    }
    assert items(parts["test"]["later"], "target_item_id") == ["b", "c"]
    # Of "last" and "valid only" nothing lies before their only part.
    assert found == {
        counts.INTERACTIONS: 8,
        counts.USERS: 3,
        counts.USERS_IN_TRAIN_ONLY: 1,
        counts.USERS_NOT_IN_TRAIN: 3,
        counts.HELD_OUT_UNUSED: 3,
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"split": "temprl"}, "split: expected one of leave_one_out.*did you mean 'temporal'"),
        ({"split": "random", "test_share": 1.0}, "test_share: expected between 0 and 1, got 1.0"),
        ({"test_share": 0.3}, "test_share: expected to be left out with split=leave_one_out"),
        (
            {"split": "temporal", "draw": "random"},
            "draw: expected to be left out with split=temporal, got random",
        ),
        ({"split": "user_ratio", "draw": "oldest"}, "draw: expected one of newest, random"),
    ],
)
def test_bad_settings_are_named(values, message):
    with pytest.raises(UserError, match=message):
        IngestConfig(**values)


@pytest.mark.parametrize("kind", ["temporal", "user_ratio", "random"])
def test_data_with_a_held_out_file_of_its_own_is_refused(tmp_path, run_generator, kind):
    synthetic.write(tmp_path, "ncf", users=10, items=20)
    generator = InteractionsExampleGen(
        input_base=str(tmp_path),
        format_name="ncf",
        config=IngestConfig(split=kind),
        source_digest="d",
    )
    with pytest.raises(UserError, match="own held-out file; expected split=leave_one_out"):
        run_generator(generator)


def test_the_settings_name_the_splits_that_there_are():
    assert names_of(IngestConfig, "split") == set(SPLITS)


def by_item(segments, config, inputs):
    """Item a into test and b into valid, whosever they are."""
    items = segments._items.indices.to_numpy(zero_copy_only=False)
    names = np.asarray(segments._items.dictionary.to_pylist())[items]
    return np.select([names == "a", names == "b"], [TEST, VALID], TRAIN)


def test_one_function_and_one_name_make_a_split(monkeypatch, interactions):
    monkeypatch.setitem(SPLITS, "toy", by_item)
    table = interactions([("u", "b", 3.0, 1), ("u", "a", 4.0, 2), ("u", "c", 5.0, 3)])
    config = choose(IngestConfig(), "split", "toy")
    ordered, _ = sort_and_dedupe.sort_and_dedupe(table, config)
    columns, _ = held_out.split(ordered, held_out.SplitInputs(), config)
    found = {name: pa.table(part).to_pylist() for name, part in columns.items()}
    assert [items(row) for row in found["train"]] == [["c"]]
    assert [items(row, "target_item_id") for row in found["valid"]] == [["b"]]
    assert [items(row, "target_item_id") for row in found["test"]] == [["a"]]


def test_a_name_without_a_function_splits_nothing(interactions):
    config = choose(IngestConfig(), "split", "toy")
    ordered, _ = sort_and_dedupe.sort_and_dedupe(interactions([("u", "a", 3.0, 1)]), config)
    with pytest.raises(KeyError, match="toy"):
        held_out.split(ordered, held_out.SplitInputs(), config)
