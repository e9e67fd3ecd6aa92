"""What the synthetic generator writes in each layout is what the adapters read."""

import collections

import pytest

from components import formats
from components.formats import base
from components.formats.ml_1m import OCCUPATIONS
from tests.support import synthetic

MOVIELENS = [layout for layout in synthetic.LAYOUTS if layout != "ncf"]


def _key(row):
    return (row["user_id"], row["timestamp"], row["item_id"])


def _expected(interactions):
    names = ("user_id", "item_id", "rating", "timestamp")
    return sorted((dict(zip(names, row, strict=True)) for row in interactions), key=_key)


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize("layout", MOVIELENS)
def test_interactions_come_back_whole_however_the_file_is_cut(tmp_path, read, layout, pieces):
    data = synthetic.write(tmp_path, layout, users=20, items=30)
    rows = read(tmp_path, formats.detect(str(tmp_path)), base.INTERACTIONS, pieces)
    assert sorted(rows, key=_key) == _expected(data.interactions)


def test_ncf_splits_off_the_last_interaction_of_each_user(tmp_path, read):
    data = synthetic.write(tmp_path, "ncf", users=20, items=30)
    last = {row[0]: row for row in data.interactions}
    train = [row for row in data.interactions if last[row[0]] != row]
    assert sorted(read(tmp_path, "ncf", base.INTERACTIONS), key=_key) == _expected(train)
    assert sorted(read(tmp_path, "ncf", base.HELD_OUT), key=_key) == _expected(last.values())


@pytest.mark.parametrize("pieces", [1, 7])
def test_ncf_candidates_are_unseen_and_never_the_target(tmp_path, read, pieces):
    data = synthetic.write(tmp_path, "ncf", users=20, items=30)
    rows = read(tmp_path, "ncf", base.CANDIDATES, pieces)
    assert [row["user_id"] for row in rows] == [user.user_id for user in data.users]
    for row in rows:
        history = data.history(row["user_id"])
        assert row["target_item_id"] == history[-1]
        assert not set(row["candidate_item_id"]) & set(history)
    lengths = [len(row["candidate_item_id"]) for row in rows]
    # User 0's line lists the target among the negatives.
    assert lengths[0] == lengths[1] - 1 == min(lengths)


@pytest.mark.parametrize("layout", ["ml-100k", "ml-1m", "recbole"])
def test_users_come_back_with_all_their_features(tmp_path, read, layout):
    data = synthetic.write(tmp_path, layout, users=20, items=30)
    rows = read(tmp_path, layout, base.USERS, 3)
    assert rows == [
        {
            "user_id": user.user_id,
            "gender": user.gender,
            "age": user.age,
            "occupation": user.occupation,
            "zip_code": user.zip_code,
        }
        for user in data.users
    ]


@pytest.mark.parametrize("layout", MOVIELENS)
def test_items_come_back_with_title_genres_and_year(tmp_path, read, layout):
    data = synthetic.write(tmp_path, layout, users=20, items=30)
    rows = read(tmp_path, layout, base.ITEMS, 4)
    assert rows == [
        {
            "item_id": item.item_id,
            "title": item.title,
            "genres": list(item.genres),
            "year": item.year,
        }
        for item in data.items
    ]
    assert rows[1]["title"] == 'Amélie, or the "Café"'
    assert rows[2]["genres"] == []
    assert rows[3]["year"] is None


@pytest.mark.parametrize("layout", synthetic.LAYOUTS)
def test_a_seed_decides_every_byte(tmp_path, layout):
    for folder in ("a", "b"):
        synthetic.write(tmp_path / folder, layout, users=10, items=20, seed=3)
    synthetic.write(tmp_path / "c", layout, users=10, items=20, seed=4)
    names = [path.name for path in (tmp_path / "a").iterdir()]
    same = [(tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names]
    other = [(tmp_path / "a" / n).read_bytes() == (tmp_path / "c" / n).read_bytes() for n in names]
    assert all(same)
    assert not any(other)


def test_planted_groups_rank_far_better_than_popularity(tmp_path):
    data = synthetic.write(tmp_path, "ml-100k")
    user_groups, item_groups = data.user_groups(), data.item_groups()
    targets = {user: item for user, item, _, _ in data.interactions}
    popularity = collections.Counter(
        item for user, item, _, _ in data.interactions if targets[user] != item
    )
    by_popularity = by_group = 0
    for user, target in targets.items():
        seen = set(data.history(user)[:-1])
        order = [item for item, _ in popularity.most_common() if item not in seen]
        by_popularity += target in order[:10]
        order.sort(key=lambda item: item_groups[item] != user_groups[user])
        by_group += target in order[:10]
    assert by_group > 3 * by_popularity
    assert by_group > 0.7 * len(targets)


def test_occupation_names_of_ml_1m_include_those_of_the_generator():
    codes = synthetic.OCCUPATION_CODES
    assert {name: OCCUPATIONS.index(name) for name in codes} == codes
