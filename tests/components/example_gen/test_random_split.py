"""The random split: shares, histories without what is held out, one row a held-out rating."""

import numpy as np
import pyarrow as pa
import pytest
import synthetic
import tensorflow as tf

from components.example_gen import counts, history, splits
from components.example_gen.component import InteractionsExampleGen
from components.example_gen.config import IngestConfig
from schema.errors import UserError


def split(table, **settings):
    config = IngestConfig(split="random", **settings)
    ordered, _ = history.arrange(table, config)
    columns, found = splits.split(ordered, splits.Side(), config)
    return {name: pa.table(part).to_pylist() for name, part in columns.items()}, found


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    return [
        (f"u{user}", f"i{item}", float(random.integers(1, 6)), int(random.integers(1, 10**6)))
        for user in range(60)
        for item in random.choice(80, 40, replace=False)
    ]


def held_out(part):
    return {(r["user_id"][0].decode(), r["target_item_id"][0].decode()): r for r in part}


def test_every_rating_is_in_one_split_and_shares_are_kept(rows, interactions):
    parts, found = split(interactions(rows), test_share=0.3, valid_share=0.2)
    train = {
        (r["user_id"][0].decode(), item.decode()) for r in parts["train"] for item in r["item_id"]
    }
    valid, test = held_out(parts["valid"]), held_out(parts["test"])
    assert len(valid) == len(parts["valid"])
    assert len(train) + len(valid) + len(test) == len(rows) == found[counts.INTERACTIONS]
    assert train | set(valid) | set(test) == {row[:2] for row in rows}
    # Five standard deviations of a binomial share of 2,400.
    assert len(test) / 2400 == pytest.approx(0.3, abs=0.047)
    assert len(valid) / 2400 == pytest.approx(0.7 * 0.2, abs=0.035)
    assert found[counts.USERS] == 60


def test_a_held_out_row_has_what_is_known_before_it_in_the_order_of_time(rows, interactions):
    parts, _ = split(interactions(rows))
    time = {row[:2]: row[3] for row in rows}
    rating = {row[:2]: row[2] for row in rows}
    train = {r["user_id"][0]: r["item_id"] for r in parts["train"]}
    valid, test = held_out(parts["valid"]), held_out(parts["test"])
    for (user, item), row in {**valid, **test}.items():
        assert row["target_rating"] == [rating[user, item]]
        assert row["target_timestamp"] == [time[user, item]]
    for (user, _), row in valid.items():
        assert row["item_id"] == train[user.encode()]
    for (user, _), row in test.items():
        known = {*train[user.encode()], *(i.encode() for u, i in valid if u == user)}
        assert set(row["item_id"]) == known
        times = [time[user, item.decode()] for item in row["item_id"]]
        assert times == row["timestamp"] == sorted(times)
        assert row["rating"] == [rating[user, item.decode()] for item in row["item_id"]]


def test_the_seed_alone_decides(rows, interactions):
    first, again, other = (
        split(interactions(given), seed=seed)[0]
        for given, seed in (
            (rows, 1),
            (rows[::-1], 1),
            (rows, 2),
        )
    )
    assert first == again
    assert held_out(first["test"]).keys() != held_out(other["test"]).keys()


def test_a_user_with_nothing_to_train_on_keeps_everything_there(interactions):
    parts, found = split(interactions([(f"u{n}", "a", 3.0, n) for n in range(50)]))
    assert len(parts["train"]) == 50
    assert parts["valid"] == parts["test"] == []
    assert found[counts.USERS_IN_TRAIN_ONLY] == 50


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"split": "randm"}, "split: expected one of leave_one_out, random.*did you mean 'random'"),
        ({"split": "random", "test_share": 1.0}, "test_share: expected between 0 and 1, got 1.0"),
        ({"test_share": 0.3}, "test_share: expected to be left out with split=leave_one_out"),
    ],
)
def test_bad_settings_are_named(values, message):
    with pytest.raises(UserError, match=message):
        IngestConfig(**values)


def test_data_with_a_held_out_file_of_its_own_is_refused(tmp_path, run_generator):
    synthetic.write(tmp_path, "ncf", users=10, items=20)
    generator = InteractionsExampleGen(
        input_base=str(tmp_path),
        format_name="ncf",
        config=IngestConfig(split="random"),
        source_digest="d",
    )
    with pytest.raises(UserError, match="own held-out file; expected split=leave_one_out"):
        run_generator(generator)


def test_the_generator_writes_what_the_schema_allows(tmp_path, run_generator, records):
    synthetic.write(tmp_path, "ml-100k", users=30, items=40)
    generator = InteractionsExampleGen(
        input_base=str(tmp_path),
        format_name="ml-100k",
        config=IngestConfig(split="random"),
        source_digest="d",
    )
    artifact = run_generator(generator)
    test = [tf.train.Example.FromString(r).features.feature for r in records(artifact, "test")]
    assert len({r["user_id"].bytes_list.value[0] for r in test}) < len(test)
    for row in test:
        assert len(row["target_item_id"].bytes_list.value) == 1
        assert len(row["target_rating"].float_list.value) == 1
        assert len(row["item_id"].bytes_list.value) >= 1
        assert len(row["gender"].bytes_list.value) == 1
