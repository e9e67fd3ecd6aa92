import random

import pytest
import tensorflow as tf

from components.example_gen import counts
from components.example_gen.component import InteractionsExampleGen
from components.example_gen.config import IngestConfig
from components.example_gen.io import reading
from schema import features
from schema.errors import UserError, find_user_error
from tests.support import synthetic


def component(folder, layout, **settings):
    return InteractionsExampleGen(str(folder), layout, IngestConfig(**settings), "digest")


def by_user(rows):
    return {row["user_id"][0]: row for row in rows}


def count(artifact, name):
    return artifact.get_int_custom_property(name)


@pytest.mark.parametrize("layout", ["ml-100k", "ml-1m", "ml-csv", "recbole"])
def test_every_layout_gives_histories_and_targets_as_written(tmp_path, run_generator, rows, layout):
    data = synthetic.write(tmp_path, layout, users=30, items=20)
    artifact = run_generator(component(tmp_path, layout))
    splits = [by_user(rows(artifact, name)) for name in ("train", "valid", "test")]
    for user in data.users:
        written = [row for row in data.interactions if row[0] == user.user_id]
        train, valid, test = (split[user.user_id] for split in splits)
        assert sorted(train["item_id"]) == sorted(row[1] for row in written[:-2])
        assert valid["item_id"] == train["item_id"]
        assert valid["target_item_id"] == [written[-2][1]]
        assert test["item_id"] == [*train["item_id"], written[-2][1]]
        assert test["target_item_id"] == [written[-1][1]]
        assert test["target_rating"] == [written[-1][2]]
        assert test["target_timestamp"] == [written[-1][3]]
        if layout != "ml-csv":
            assert train["gender"] == [user.gender]
            assert train["age"] == [user.age]
            assert train["zip_code"] == [user.zip_code]
    assert count(artifact, counts.INTERACTIONS) == len(data.interactions)
    assert count(artifact, counts.USERS) == 30
    assert count(artifact, counts.ITEMS) == len({row[1] for row in data.interactions})
    assert artifact.split_names == '["train", "valid", "test"]'


def test_no_history_contains_its_target_or_anything_later(tmp_path, run_generator, rows):
    synthetic.write(tmp_path, "ml-100k", users=60, items=40)
    artifact = run_generator(component(tmp_path, "ml-100k"))
    for split in ("valid", "test"):
        for row in rows(artifact, split):
            assert row["target_item_id"][0] not in row["item_id"]
            assert row["timestamp"] == sorted(row["timestamp"])
            assert row["timestamp"][-1] <= row["target_timestamp"][0]
            assert len(row["item_id"]) == len(row["rating"]) == len(row["timestamp"])


def test_the_temporal_split_is_cut_alike_for_all_users_of_all_partitions(
    tmp_path, run_generator, rows
):
    draw = random.Random(0)
    written = [
        (user, item, draw.randrange(500))
        for user in range(60)
        for item in draw.sample(range(40), 12)
    ]
    write_ratings(tmp_path, [f"{user},{item},3,{time}" for user, item, time in written])
    settings = {"split": "temporal", "test_share": 0.3, "valid_share": 0.25}
    artifact = run_generator(
        component(tmp_path, "ml-csv", min_item_interactions=18, **settings), partition_bytes=2000
    )
    # The shares are of what the core leaves.
    items = [row[1] for row in written]
    times = sorted(time for _, item, time in written if items.count(item) >= 18)
    assert 0 < len(times) < len(written)
    assert count(artifact, counts.DROPPED_BY_CORE) == len(written) - len(times)
    test_from = times[-round(0.3 * len(times))]
    older = [time for time in times if time < test_from]
    valid_from = older[-round(0.25 * len(older))]
    train, valid, test = (rows(artifact, name) for name in features.INTERACTION_SPLITS)

    def every(part, name):
        return [time for row in part for time in row[name]]

    assert sorted(every(train, "timestamp")) == [time for time in times if time < valid_from]
    assert min(every(valid, "target_timestamp")) == valid_from
    assert max(every(valid, "target_timestamp")) < test_from
    assert min(every(test, "target_timestamp")) == test_from
    assert max(every(valid, "timestamp")) < valid_from
    assert valid_from <= max(every(test, "timestamp")) < test_from


def test_timestamps_that_cannot_be_cut_are_named_through_beam(tmp_path, run_generator):
    write_ratings(tmp_path, ["1,1,4,1", "1,2,4,7", "2,1,5,7", "2,2,5,7"])
    with pytest.raises(Exception) as error:  # noqa: PT011 - Beam decides the type
        run_generator(component(tmp_path, "ml-csv", split="temporal"))
    sentence = find_user_error(error.value)
    assert sentence is not None
    assert "valid_share=0.1: nothing is older than the newest 1 of 1 interactions" in sentence


@pytest.mark.seconds
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"split": "temporal"},
        {"split": "user_ratio"},
        {"split": "user_ratio", "draw": "random"},
        {"split": "random"},
    ],
    ids=["leave_one_out", "temporal", "user_ratio", "user_ratio_random", "random"],
)
def test_splits_are_byte_equal_whatever_the_ranges_partitions_and_row_order(
    tmp_path, run_generator, records, settings
):
    synthetic.write(tmp_path, "ml-1m", users=60, items=40)
    ratings = tmp_path / "ratings.dat"
    lines = [line.rpartition("::")[0] for line in ratings.read_text().splitlines()]
    # Few different times, which lie alike in all users' lives.
    ratings.write_text("".join(f"{line}::{n * 7919 % 97}\n" for n, line in enumerate(lines)))
    expected = run_generator(component(tmp_path, "ml-1m", **settings))
    assert all(records(expected, split) for split in features.INTERACTION_SPLITS)
    files = [
        sorted(tf.io.gfile.glob(f"{expected.uri}/Split-{split}/*"))
        for split in features.INTERACTION_SPLITS
    ]
    for seed, (range_bytes, partition_bytes) in enumerate([(200, 1 << 26), (7000, 5000)]):
        for name in ("ratings.dat", "users.dat"):
            lines = (tmp_path / name).read_text().splitlines(keepends=True)
            random.Random(seed).shuffle(lines)
            (tmp_path / name).write_text("".join(lines))
        artifact = run_generator(
            component(tmp_path, "ml-1m", **settings),
            range_bytes=range_bytes,
            partition_bytes=partition_bytes,
        )
        for split, (file,) in zip(features.INTERACTION_SPLITS, files, strict=True):
            assert records(artifact, split) == records(expected, split)
            again = sorted(tf.io.gfile.glob(f"{artifact.uri}/Split-{split}/*"))
            assert (len(again) > 1) == (partition_bytes < 1 << 26)
            if len(again) == 1:
                assert tf.io.gfile.GFile(again[0], "rb").read() == (
                    tf.io.gfile.GFile(file, "rb").read()
                )


def test_ncf_targets_and_candidates_are_those_given(tmp_path, run_generator, rows):
    data = synthetic.write(tmp_path, "ncf", users=20, items=140)
    artifact = run_generator(component(tmp_path, "ncf"))
    valid, test = by_user(rows(artifact, "valid")), by_user(rows(artifact, "test"))
    for user in data.users:
        history = data.history(user.user_id)
        assert test[user.user_id]["target_item_id"] == [history[-1]]
        assert sorted(test[user.user_id]["item_id"]) == sorted(history[:-1])
        assert valid[user.user_id]["target_item_id"] == [history[-2]]
        candidates = test[user.user_id]["candidate_item_id"]
        assert len(candidates) == (98 if user.user_id == "0" else 99)
        assert not set(candidates) & set(history)
        assert "candidate_item_id" not in valid[user.user_id]


def test_a_core_is_kept_when_asked_for(tmp_path, run_generator, rows):
    data = synthetic.write(tmp_path, "ml-100k", users=60, items=40)
    settings = {"min_user_interactions": 9, "min_item_interactions": 10}
    artifact = run_generator(component(tmp_path, "ml-100k", **settings), partition_bytes=2000)
    left = list(data.interactions)
    while True:
        users, items = [row[0] for row in left], [row[1] for row in left]
        kept = [r for r in left if users.count(r[0]) >= 9 and items.count(r[1]) >= 10]
        if kept == left:
            break
        left = kept
    pairs = {
        (row["user_id"][0], item)
        for row in rows(artifact, "test")
        for item in row["item_id"] + row["target_item_id"]
    }
    assert 0 < len(left) < len(data.interactions)
    assert pairs == {row[:2] for row in left}
    assert count(artifact, counts.DROPPED_BY_CORE) == len(data.interactions) - len(left)
    assert count(artifact, counts.ITEMS) == len({row[1] for row in left})


def write_ratings(folder, lines):
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "\n".join(lines))
    (folder / "movies.csv").write_text("movieId,title,genres\n1,A (1990),Drama\n")


def test_what_was_left_out_is_counted(tmp_path, run_generator, rows):
    write_ratings(
        tmp_path,
        ["1,1,4,1", "1,2,4,2", "1,3,5,3", "1,1,5,9", "1,4,2,4", "2,1,5,1", "2,2,5,2"],
    )
    artifact = run_generator(component(tmp_path, "ml-csv", min_rating=3.0))
    assert {name: count(artifact, name) for name in counts.INTERACTION_COUNTS} == {
        counts.INTERACTIONS: 5,
        counts.USERS: 2,
        counts.ITEMS: 3,
        counts.DUPLICATES: 1,
        counts.DROPPED_BY_RATING: 1,
        counts.DROPPED_BY_CORE: 0,
        counts.USERS_IN_TRAIN_ONLY: 1,
        counts.USERS_NOT_IN_TRAIN: 0,
        counts.USERS_MISSING_FROM_USERS_FILE: 0,
        counts.HELD_OUT_UNUSED: 0,
    }
    assert by_user(rows(artifact, "test")).keys() == {"1"}
    assert by_user(rows(artifact, "test"))["1"]["target_item_id"] == ["1"]


def test_a_split_nobody_is_in_still_has_a_file(tmp_path, run_generator, rows):
    write_ratings(tmp_path, ["1,1,4,1", "2,1,5,1"])
    artifact = run_generator(component(tmp_path, "ml-csv"))
    assert len(rows(artifact, "train")) == 2
    assert tf.io.gfile.glob(f"{artifact.uri}/Split-test/*")
    assert rows(artifact, "test") == []


@pytest.mark.seconds
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"min_rating": 6.0}, "min_rating=6.0, which dropped all 2 interactions"),
        (
            {"min_user_interactions": 2},
            "min_user_interactions=2 and min_item_interactions=1, which dropped all 2 interactions",
        ),
    ],
)
def test_an_option_that_leaves_nothing_is_named(tmp_path, run_generator, settings, sentence):
    write_ratings(tmp_path, ["1,1,4,1", "2,1,5,1"])
    with pytest.raises(UserError) as error:
        run_generator(component(tmp_path, "ml-csv", **settings))
    assert sentence in str(error.value)


def test_a_file_without_rows_is_refused(tmp_path, run_generator):
    write_ratings(tmp_path, [])
    with pytest.raises(UserError, match=r"ratings\.csv"):
        run_generator(component(tmp_path, "ml-csv"))


def test_a_bad_line_is_named_through_beam(tmp_path, run_generator):
    write_ratings(tmp_path, ["1,1,4,1", "2,1,good,1"])
    with pytest.raises(Exception) as error:  # noqa: PT011 - Beam decides the type
        run_generator(component(tmp_path, "ml-csv"), range_bytes=20)
    sentence = find_user_error(error.value)
    assert sentence is not None
    assert "ratings.csv, line 3" in sentence


@pytest.mark.parametrize("line", ["7\t7\t5\t70\n", "half a line\n"])
def test_a_file_that_is_written_to_while_it_is_read_is_refused(
    tmp_path, run_generator, monkeypatch, line
):
    synthetic.write(tmp_path, "ml-100k", users=5, items=9)
    plan = reading.plan

    def appended(*arguments):
        found = plan(*arguments)
        with (tmp_path / "u.data").open("a") as file:
            file.write(line)
        return found

    monkeypatch.setattr(reading, "plan", appended)
    with pytest.raises(UserError, match=r"u\.data: expected a file that stays as it is"):
        run_generator(component(tmp_path, "ml-100k"))
