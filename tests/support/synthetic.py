"""A small synthetic MovieLens with planted structure, in every layout we read.

Users and items belong to hidden groups; nine of ten interactions of a user are
with items of the user's own group, so a model that learns the groups ranks far
better than popularity, which cannot tell them apart. Genres and occupations
follow the groups. Everything is drawn from a seed; `import synthetic` works in
every test.

    data = synthetic.write(tmp_path, "ml-100k", users=60, items=40)
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable

import numpy as np

LAYOUTS = ("ml-100k", "ml-1m", "ml-csv", "ncf", "recbole")
GROUP_GENRES = ("Action", "Comedy", "Drama", "Horror")
GROUP_OCCUPATIONS = ("programmer", "artist", "writer", "lawyer")
# The embeddings of those occupations in ML-1M's users.dat.
OCCUPATION_CODES = {"programmer": 12, "artist": 2, "writer": 20, "lawyer": 11}
AGE_CODES = (1, 18, 25, 35, 45, 50, 56)
FLAGS = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
_START = 874724710  # ML-100K's first timestamp
_OWN_GROUP = 0.9


@dataclasses.dataclass(frozen=True)
class User:
    """One user as written; `age` is one of AGE_CODES."""

    user_id: str
    group: int
    gender: str
    age: int
    occupation: str
    zip_code: str


@dataclasses.dataclass(frozen=True)
class Item:
    """One item as written; `title` lacks the year, `year` may be None."""

    item_id: str
    group: int
    title: str
    year: int | None
    genres: tuple[str, ...]

    @property
    def full_title(self) -> str:
        """Title with the year in parentheses, as MovieLens prints it."""
        return self.title if self.year is None else f"{self.title} ({self.year})"


@dataclasses.dataclass(frozen=True)
class Dataset:
    """What was written.

    Attributes:
      folder: where the files lie.
      users: in id order.
      items: in id order; every one has an interaction unless there are few users.
      interactions: (user_id, item_id, rating, timestamp), by user and time. A
        user's timestamps may be equal, but never among the last three. For
        ncf, a user's last one is the held-out one.
    """

    folder: pathlib.Path
    users: tuple[User, ...]
    items: tuple[Item, ...]
    interactions: tuple[tuple[str, str, float, int], ...]

    def history(self, user_id: str) -> list[str]:
        """Items of a user, oldest first."""
        return [item for user, item, _, _ in self.interactions if user == user_id]

    def user_groups(self) -> dict[str, int]:
        """Hidden group of each user id."""
        return {user.user_id: user.group for user in self.users}

    def item_groups(self) -> dict[str, int]:
        """Hidden group of each item id."""
        return {item.item_id: item.group for item in self.items}


def write(
    folder: str | pathlib.Path,
    layout: str,
    users: int = 120,
    items: int = 80,
    interactions_per_user: int = 12,
    seed: int = 0,
) -> Dataset:
    """Writes a dataset.

    Args:
      folder: created when missing.
      layout: one of LAYOUTS.
      users: how many users.
      items: how many items; at least 8.
      interactions_per_user: mean history length; a user has between half and
        one and a half times as many, at least 3 and never the last two items.
      seed: same seed, same files.

    Returns:
      What the files say.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    first = 0 if layout == "ncf" else 1
    dataset = Dataset(
        folder,
        tuple(_user(rng, index + first) for index in range(users)),
        tuple(_item(rng, index + first) for index in range(items)),
        (),
    )
    dataset = dataclasses.replace(
        dataset,
        interactions=tuple(_interactions(rng, dataset, interactions_per_user, layout)),
    )
    _WRITERS[layout](dataset, rng)
    return dataset


def _user(rng: np.random.Generator, number: int) -> User:
    group = number % len(GROUP_GENRES)
    occupation = group if rng.random() < 0.7 else rng.integers(len(GROUP_OCCUPATIONS))
    return User(
        str(number),
        group,
        "F" if rng.random() < 0.4 else "M",
        int(rng.choice(AGE_CODES)),
        GROUP_OCCUPATIONS[occupation],
        f"{rng.integers(100000):05d}",
    )


def _item(rng: np.random.Generator, number: int) -> Item:
    group = number % len(GROUP_GENRES)
    genres = [GROUP_GENRES[group]] + (["Romance"] if rng.random() < 0.3 else [])
    year: int | None = int(rng.integers(1950, 2000))
    title = f"Film {number}"
    if number == 2:
        title = 'Amélie, or the "Café"'
    if number == 3:
        genres = []
    if number == 4:
        title, year = "Film without a year", None
    return Item(str(number), group, title, year, tuple(genres))


def _interactions(
    rng: np.random.Generator, dataset: Dataset, mean: int, layout: str
) -> Iterable[tuple[str, str, float, int]]:
    groups = np.array([item.group for item in dataset.items])
    popularity = -0.5 * np.log(np.arange(len(groups)) + 3.0)
    others = len(GROUP_GENRES) - 1
    preference = np.log(_OWN_GROUP / (1 - _OWN_GROUP) * others)
    for user in dataset.users:
        length = max(3, min(len(groups) - 2, int(rng.integers(mean // 2, mean + mean // 2 + 1))))
        own = groups == user.group
        # Gumbel top-k: weighted sampling without replacement.
        keys = popularity + preference * own + rng.gumbel(size=len(groups))
        chosen = rng.permutation(np.argsort(-keys)[:length])
        steps = rng.integers(0, 5, size=length) * 60
        steps[-2:] += 60
        times = _START + int(rng.integers(10**7)) + np.cumsum(steps)
        for position, time in zip(chosen, times, strict=True):
            rating = rng.integers(4, 6) if own[position] else rng.integers(1, 4)
            half = 0.5 if layout == "ml-csv" and rng.random() < 0.3 else 0.0
            yield (
                user.user_id,
                dataset.items[position].item_id,
                float(rating) - half,
                int(time),
            )


def _lines(path: pathlib.Path, lines: Iterable[str], encoding: str, end: str = "\n") -> None:
    path.write_bytes("".join(line + end for line in lines).encode(encoding))


def _write_ml_100k(dataset: Dataset, rng: np.random.Generator) -> None:
    rows = [f"{u}\t{i}\t{r:.0f}\t{t}" for u, i, r, t in dataset.interactions]
    rng.shuffle(rows)
    _lines(dataset.folder / "u.data", rows, "ascii")
    people = (f"{u.user_id}|{u.age}|{u.gender}|{u.occupation}|{u.zip_code}" for u in dataset.users)
    _lines(dataset.folder / "u.user", people, "ascii")
    films = []
    for item in dataset.items:
        genres = item.genres or ("unknown",)
        flags = "|".join(str(int(flag in genres)) for flag in FLAGS)
        date = "" if item.year is None else f"01-Jan-{item.year}"
        films.append(f"{item.item_id}|{item.full_title}|{date}||http://example.org/|{flags}")
    _lines(dataset.folder / "u.item", films, "iso-8859-1")


def _write_ml_1m(dataset: Dataset, rng: np.random.Generator) -> None:
    rows = (f"{u}::{i}::{r:.0f}::{t}" for u, i, r, t in dataset.interactions)
    _lines(dataset.folder / "ratings.dat", rows, "ascii")
    people = (
        f"{u.user_id}::{u.gender}::{u.age}::{OCCUPATION_CODES[u.occupation]}::{u.zip_code}"
        for u in dataset.users
    )
    _lines(dataset.folder / "users.dat", people, "ascii")
    films = (
        f"{i.item_id}::{i.full_title}::{'|'.join(i.genres) or '(no genres listed)'}"
        for i in dataset.items
    )
    _lines(dataset.folder / "movies.dat", films, "iso-8859-1")


def _write_ml_csv(dataset: Dataset, rng: np.random.Generator) -> None:
    rows = sorted(dataset.interactions, key=lambda row: (int(row[0]), int(row[1])))
    ratings = ["userId,movieId,rating,timestamp", *(f"{u},{i},{r},{t}" for u, i, r, t in rows)]
    _lines(dataset.folder / "ratings.csv", ratings, "utf-8", "\r\n")
    films = ["movieId,title,genres"]
    for item in dataset.items:
        title = item.full_title
        if "," in title:
            title = '"' + title.replace('"', '""') + '"'
        films.append(f"{item.item_id},{title},{'|'.join(item.genres) or '(no genres listed)'}")
    _lines(dataset.folder / "movies.csv", films, "utf-8", "\r\n")


def _write_ncf(dataset: Dataset, rng: np.random.Generator) -> None:
    train, held_out, negatives = [], [], []
    every = {item.item_id for item in dataset.items}
    longest = max(len(dataset.history(user.user_id)) for user in dataset.users)
    count = min(99, len(every) - longest)
    for user in dataset.users:
        rows = [row for row in dataset.interactions if row[0] == user.user_id]
        train += [f"{u}\t{i}\t{r:.0f}\t{t}" for u, i, r, t in reversed(rows[:-1])]
        _, target, rating, time = rows[-1]
        held_out.append(f"{user.user_id}\t{target}\t{rating:.0f}\t{time}")
        unseen = sorted(every - {row[1] for row in rows}, key=int)
        drawn = list(rng.permutation(unseen)[:count])
        if user.user_id == "0":
            # As in He et al.'s files, a target may be among its own negatives.
            drawn[-1] = target
        negatives.append("\t".join([f"({user.user_id},{target})", *drawn]))
    _lines(dataset.folder / "synthetic.train.rating", train, "ascii")
    _lines(dataset.folder / "synthetic.test.rating", held_out, "ascii")
    _lines(dataset.folder / "synthetic.test.negative", negatives, "ascii")


def _write_recbole(dataset: Dataset, rng: np.random.Generator) -> None:
    rows = [f"{u}\t{i}\t{r:.0f}\t{t}" for u, i, r, t in dataset.interactions]
    rng.shuffle(rows)
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
    _lines(dataset.folder / "synthetic.inter", [header, *rows], "utf-8")
    people = ["user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token"]
    people += [
        f"{u.user_id}\t{u.age}\t{u.gender}\t{u.occupation}\t{u.zip_code}" for u in dataset.users
    ]
    _lines(dataset.folder / "synthetic.user", people, "utf-8")
    films = ["item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"]
    for item in dataset.items:
        year = "" if item.year is None else item.year
        films.append(f"{item.item_id}\t{item.title}\t{year}\t{' '.join(item.genres)}")
    _lines(dataset.folder / "synthetic.item", films, "utf-8")


_WRITERS: dict[str, Callable[[Dataset, np.random.Generator], None]] = {
    "ml-100k": _write_ml_100k,
    "ml-1m": _write_ml_1m,
    "ml-csv": _write_ml_csv,
    "ncf": _write_ncf,
    "recbole": _write_recbole,
}
