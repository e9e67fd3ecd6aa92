"""The generated files against what pipeline.datasets.synthetic states."""

import collections
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from components import formats
from components.formats import base
from components.formats.reading.chunk import Chunk
from pipeline.datasets import published, synthetic
from pipeline.datasets.synthetic_config import SyntheticConfig
from pipeline.datasets.synthetic_entities import apportion
from schema.errors import UserError

CONFIG = SyntheticConfig(users=400, items=200, interactions=12_000)


def _write(folder, config):
    folder.mkdir(parents=True)
    synthetic.write(config, folder, lambda count: None)
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def _read(folder, role):
    adapter = formats.get(formats.detect(str(folder)))
    (path,) = adapter.locate(str(folder))[role]
    with open(path, "rb") as file:
        chunk = Chunk(path, 0, file.read())
    return getattr(adapter, f"parse_{role}")(chunk, b"")


def _ratings(folder):
    """Users, items, ratings and times as numbers, in file order."""
    rows = _read(folder, base.INTERACTIONS).to_pylist()
    return tuple(np.asarray([float(row[n]) for row in rows]).astype(int) for n in rows[0])


def _genres(folder):
    """First genre of each item."""
    rows = _read(folder, base.ITEMS).to_pylist()
    return {int(row["item_id"]): row["genres"][0] for row in rows}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "data"
    _write(folder, CONFIG)
    return folder


def test_the_same_parameters_give_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "_BLOCK", 3000)
    first = _write(tmp_path / "first", CONFIG)
    assert _write(tmp_path / "again", CONFIG) == first
    other = _write(tmp_path / "other", CONFIG.replace(seed=1))
    assert set(other) == {"README", "movies.dat", "ratings.dat", "users.dat"}
    assert not [name for name in first if other[name] == first[name]]


@pytest.mark.parametrize("block", [100, 1_000_000])
@pytest.mark.parametrize(
    ("users", "items", "interactions"),
    [(1, 8, 3), (300, 50, 900), (300, 50, 4000), (40, 30, 1199), (40, 30, 1200), (2, 5000, 9000)],
)
def test_counts_are_exact_and_no_pair_comes_twice(
    tmp_path, monkeypatch, users, items, interactions, block
):
    monkeypatch.setattr(synthetic, "_BLOCK", block)
    _write(tmp_path / "data", SyntheticConfig(users=users, items=items, interactions=interactions))
    user, item, _, _ = _ratings(tmp_path / "data")
    assert len(user) == interactions
    assert len(set(zip(user, item, strict=True))) == interactions
    lengths = collections.Counter(user)
    assert set(lengths) == set(range(1, users + 1))
    assert min(lengths.values()) >= 3
    assert _read(tmp_path / "data", base.USERS).num_rows == users
    catalog = _read(tmp_path / "data", base.ITEMS)["item_id"].to_pylist()
    assert catalog == [str(number) for number in range(1, items + 1)]
    assert set(item) <= set(range(1, items + 1))


def test_every_feature_is_there(folder):
    for role in (base.USERS, base.ITEMS, base.INTERACTIONS):
        table = _read(folder, role)
        assert [n for n in table.column_names if table[n].null_count] == []
    items = _read(folder, base.ITEMS).to_pylist()
    assert {len(row["genres"]) for row in items} == {1, 2}
    assert all(row["genres"][0] != row["genres"][-1] for row in items if len(row["genres"]) > 1)
    assert all(row["title"] == f"{row['genres'][0]} {row['item_id']}" for row in items)
    assert all(1930 <= row["year"] <= 2000 for row in items)


def test_a_users_interactions_lie_apart_in_time(folder):
    user, _, rating, time = _ratings(folder)
    same = user[1:] == user[:-1]
    assert (np.diff(time)[same] > 0).all()
    assert (np.diff(user)[~same] == 1).all()
    assert set(rating) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(("skew", "affinity"), [(0.0, 0.5), (0.8, 0.0), (0.8, 0.9)])
def test_popularity_follows_zipf(tmp_path, skew, affinity):
    # So few of so many items a user that leaving out what was drawn hardly matters.
    config = SyntheticConfig(
        users=8000, items=2000, interactions=40_000, affinity=affinity, skew=skew
    )
    _write(tmp_path / "data", config)
    _, item, _, _ = _ratings(tmp_path / "data")
    counts = np.sort(np.bincount(item, minlength=2001)[1:])[::-1]
    weight = np.arange(1, 2001) ** -skew
    expected = weight[:200].sum() / weight.sum()
    # Sorting by chance counts lifts the head where nothing is skewed.
    assert counts[:200].sum() / len(item) == pytest.approx(expected, abs=0.04 + 0.05 * (skew == 0))


def test_activity_is_skewed(folder):
    lengths = np.sort(np.unique(_ratings(folder)[0], return_counts=True)[1])
    # Of a log-normal with sigma 1, the upper tenth has Phi(1 - 1.2816) = 39 %.
    assert lengths[-40:].sum() / lengths.sum() == pytest.approx(0.37, abs=0.06)


@pytest.mark.seconds
@pytest.mark.parametrize(("affinity", "groups"), [(0.7, 8), (0.4, 4), (0.0, 8)])
def test_a_users_share_in_the_preferred_genre_is_as_planted(tmp_path, affinity, groups):
    # So many items that leaving out what was drawn hardly matters.
    config = SyntheticConfig(
        users=60, items=40_000, interactions=12_000, groups=groups, affinity=affinity, skew=0.3
    )
    _write(tmp_path / "data", config)
    user, item, _, _ = _ratings(tmp_path / "data")
    genres = _genres(tmp_path / "data")
    assert len(set(genres.values())) == groups
    shares = []
    for number in range(1, 61):
        seen = collections.Counter(genres[one] for one in item[user == number])
        if seen.total() >= 100:
            shares.append(seen.most_common(1)[0][1] / seen.total())
    # Each genre has about the same weight; the most of noise is above the mean.
    assert np.mean(shares) == pytest.approx(affinity + (1 - affinity) / groups, abs=0.06)


def test_the_preferred_genre_is_rated_higher(folder):
    user, item, rating, _ = _ratings(folder)
    genres = _genres(folder)
    genre = np.asarray([genres[one] for one in item])
    own = np.zeros(len(user), bool)
    for number in np.unique(user):
        seen = user == number
        own[seen] = genre[seen] == collections.Counter(genre[seen]).most_common(1)[0][0]
    # 1.2 as planted, less what the scale's ends cut off.
    assert 0.8 < rating[own].mean() - rating[~own].mean() < 1.2


def test_who_knows_the_group_ranks_far_better_than_popularity(folder):
    user, item, _, _ = _ratings(folder)
    genres = _genres(folder)
    last = np.append(user[1:] != user[:-1], True)
    popularity = np.bincount(item[~last], minlength=CONFIG.items + 1).astype(float)
    popularity[0] = -1
    genre = np.asarray(["", *(genres[one] for one in range(1, CONFIG.items + 1))])
    hits = np.zeros(2)
    for number, target in zip(user[last], item[last], strict=True):
        seen = item[(user == number) & ~last]
        liked = collections.Counter(genre[seen]).most_common(1)[0][0]
        for at, score in enumerate((popularity, popularity * (1 + 9 * (genre == liked)))):
            unseen = np.where(np.isin(np.arange(len(score)), seen), -1, score)
            hits[at] += (unseen > score[target]).sum() < 10
    by_popularity, by_genre = hits / CONFIG.users
    assert by_genre > 1.5 * by_popularity > 0.1


def test_what_is_missing_after_some_rounds_is_drawn_alike(tmp_path, monkeypatch):
    config = SyntheticConfig(users=4000, items=12, interactions=4000 * 6, groups=3)
    frequencies = {}
    for rounds in (1, 100):
        monkeypatch.setattr(synthetic, "_ROUNDS", rounds)
        _write(tmp_path / str(rounds), config)
        _, item, _, _ = _ratings(tmp_path / str(rounds))
        frequencies[rounds] = np.bincount(item)[1:] / config.users
    # Five standard deviations of a share of 4,000 users.
    assert np.abs(frequencies[1] - frequencies[100]).max() < 5 * np.sqrt(2 * 0.25 / 4000)
    assert np.ptp(frequencies[100]) > 0.3


@pytest.mark.parametrize(
    ("weights", "total", "low", "high", "expected"),
    [
        ([1, 1, 2], 8, 1, 9, [2, 2, 4]),
        ([1, 1, 6], 9, 1, 4, [2, 3, 4]),
        ([5, 1, 1], 9, 3, 3, [3, 3, 3]),
        ([2, 1], 4, 1, 9, [3, 1]),
    ],
)
def test_a_total_is_shared_out_by_hand(weights, total, low, high, expected):
    shares = apportion(np.asarray(weights, float), total, low, high)
    assert sorted(shares) == sorted(expected)
    assert shares[np.argmax(weights)] == max(expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30), st.floats(0, 1), st.integers(3, 50))
def test_shares_sum_up_and_keep_their_bounds(weights, fullness, high):
    total = int(len(weights) * (3 + fullness * (high - 3)))
    shares = apportion(np.asarray(weights), total, 3, high)
    assert shares.sum() == total
    assert shares.min() >= 3
    assert shares.max() <= high
    order = np.argsort(weights, kind="stable")
    assert (np.diff(shares[order]) >= -1).all()


def _obtain(folder):
    told = Console(file=io.StringIO(), width=200)
    text = "synthetic:users=20,items=30,interactions=100"
    return published.obtain(text, str(folder), told), told.file.getvalue()


def test_data_is_generated_once_and_kept_under_a_name_with_its_digest(tmp_path):
    folder, told = _obtain(tmp_path)
    name = SyntheticConfig(users=20, items=30, interactions=100).name
    assert folder == str(tmp_path / "datasets" / name)
    assert f"{name}: generated from synthetic:users=20,items=30,interactions=100,groups=8" in told
    assert _obtain(tmp_path) == (folder, "")


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_generation_that_breaks_off_leaves_nothing(tmp_path, monkeypatch, failure):
    def break_off(*_):
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr(synthetic, "_interactions", break_off)
        expected = UserError if isinstance(failure, OSError) else KeyboardInterrupt
        with pytest.raises(expected) as caught:
            _obtain(tmp_path)
    if expected is UserError:
        assert "cannot keep the dataset (No space left on device)" in str(caught.value)
    left = [file for file in (tmp_path / "datasets").iterdir() if file.suffix != ".lock"]
    assert left == []
    folder, _ = _obtain(tmp_path)
    assert len(_ratings(folder)[0]) == 100
