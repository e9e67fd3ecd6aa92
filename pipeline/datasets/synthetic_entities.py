"""Users and items of a generated dataset, with what is planted in them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.datasets.synthetic_config import MIN_INTERACTIONS, SyntheticConfig

GENRES = (
    "Drama",
    "Comedy",
    "Action",
    "Thriller",
    "Romance",
    "Horror",
    "Adventure",
    "Sci-Fi",
    "Children's",
    "Crime",
    "War",
    "Documentary",
    "Musical",
    "Mystery",
    "Animation",
    "Fantasy",
    "Western",
    "Film-Noir",
)
_AGES = (1, 18, 25, 35, 45, 50, 56)
_OCCUPATIONS = 21
# Streams of random numbers of one seed; pipeline.datasets.synthetic has the one of blocks.
_USERS, _ITEMS = 0, 1


@dataclasses.dataclass(frozen=True)
class Users:
    """Hold some users, in the order of their ids.

    Attributes:
      group: int64 [U].
      bias: of their ratings, float64 [U].
      counts: interactions, int64 [U].
    """

    group: np.ndarray
    bias: np.ndarray
    counts: np.ndarray

    @classmethod
    def draw(cls, config: SyntheticConfig) -> Users:
        """Draw all users of a dataset."""
        rng = np.random.default_rng([config.seed, _USERS])
        size = config.users
        activity = rng.lognormal(size=size)
        return cls(
            group=rng.integers(config.groups, size=size),
            bias=rng.standard_normal(size),
            counts=apportion(activity, config.interactions, MIN_INTERACTIONS, config.items),
        )

    def block(self, first: int, last: int) -> Users:
        """Return the users first .. last - 1."""
        return Users(*(getattr(self, f.name)[first:last] for f in dataclasses.fields(self)))

    def lines(self, config: SyntheticConfig) -> pa.Array:
        """Write the lines of users.dat of all users, string [U]."""
        rng = np.random.default_rng([config.seed, _USERS, 1])
        size = len(self.group)
        anything = rng.integers(_OCCUPATIONS, size=size)
        zip_codes = pc.utf8_lpad(_text(rng.integers(100_000, size=size)), 5, "0")
        return pc.binary_join_element_wise(
            _text(np.arange(1, size + 1)),
            pa.array(["F", "M"]).take(pa.array((rng.random(size) < 0.7).astype(np.int8))),
            _text(np.asarray(_AGES)[rng.integers(len(_AGES), size=size)]),
            _text(np.where(rng.random(size) < 0.5, self.group, anything)),
            zip_codes,
            "::",
        )


@dataclasses.dataclass(frozen=True)
class Items:
    """Hold all items, in the order of their popularity.

    Attributes:
      number: item id, int64 [I].
      quality: of their ratings, float64 [I].
      weight: z, float64 [I].
      cumulative: of p(.), the popularity, float64 [I].
      genre_cumulative: for each genre, one after the other, the genre's number
        plus the cumulative share of its items, float64 [I].
      genre_first: where each genre begins in it, int64 [G].
    """

    number: np.ndarray
    quality: np.ndarray
    weight: np.ndarray
    cumulative: np.ndarray
    genre_cumulative: np.ndarray
    genre_first: np.ndarray

    @classmethod
    def draw(cls, config: SyntheticConfig) -> Items:
        """Draw all items of a dataset."""
        rng = np.random.default_rng([config.seed, _ITEMS])
        weight = np.arange(1, config.items + 1) ** -config.skew
        by_genre = [_cumulative(weight[genre :: config.groups]) for genre in range(config.groups)]
        sizes = [len(shares) for shares in by_genre]
        return cls(
            number=rng.permutation(config.items) + 1,
            quality=rng.standard_normal(config.items),
            weight=weight,
            cumulative=_cumulative(weight),
            genre_cumulative=np.concatenate([g + shares for g, shares in enumerate(by_genre)]),
            genre_first=np.cumsum([0, *sizes[:-1]]),
        )

    def sample(
        self, rng: np.random.Generator, config: SyntheticConfig, group: np.ndarray
    ) -> np.ndarray:
        """Draw an item from p(.|u) for each of some users.

        Args:
          rng: of the block.
          config: of the dataset.
          group: the users' groups, int64 [N].

        Returns:
          Popularity ranks, int64 [N].
        """
        # Below 1 by more than is lost where a genre's number is added.
        share = rng.random(len(group)) * (1 - 2**-40)
        own = rng.random(len(group)) < config.affinity
        ranks = np.searchsorted(self.cumulative, share, side="right")
        at = np.searchsorted(self.genre_cumulative, group[own] + share[own], side="right")
        ranks[own] = (at - self.genre_first[group[own]]) * config.groups + group[own]
        return ranks

    def probabilities(self, config: SyntheticConfig, group: np.ndarray) -> np.ndarray:
        """Compute p(.|u) of every item for each of some users.

        Args:
          config: of the dataset.
          group: the users' groups, int64 [N].

        Returns:
          float64 [N, I], items in the order of their popularity.
        """
        genres = np.arange(config.items) % config.groups
        sums = np.bincount(genres, self.weight)
        own = (genres == group[:, None]) * (config.affinity / sums[group])[:, None]
        return self.weight * (own + (1 - config.affinity) / sums.sum())

    def lines(self, config: SyntheticConfig) -> pa.Array:
        """Write the lines of movies.dat in the order of the ids, string [I]."""
        rng = np.random.default_rng([config.seed, _ITEMS, 1])
        size = config.items
        genre = np.arange(size) % config.groups
        other = (genre + rng.integers(1, len(GENRES), size=size)) % len(GENRES)
        second = pa.array(other, mask=rng.random(size) >= 0.3)
        names = pa.array(GENRES)
        year = _text(1930 + (71 * np.sqrt(rng.random(size))).astype(np.int64))
        number = _text(self.number)
        title = pc.binary_join_element_wise(names.take(pa.array(genre)), number, " ")
        genres = pc.binary_join_element_wise(
            names.take(pa.array(genre)), names.take(second), "|", null_handling="skip"
        )
        dated = pc.binary_join_element_wise(title, " (", year, ")", "")
        lines = pc.binary_join_element_wise(number, dated, genres, "::")
        return lines.take(pa.array(np.argsort(self.number)))


def apportion(weights: np.ndarray, total: int, low: int, high: int) -> np.ndarray:
    """Distribute `total` by weights, within bounds.

    Args:
      weights: positive, float64 [N].
      total: N * low to N * high.
      low: least share.
      high: largest share.

    Returns:
      int64 [N] that sum up to `total`.
    """
    left, right = 0.0, (high - low + 1) / weights.min()

    def shares(factor: float) -> np.ndarray:
        return np.minimum(low + np.floor(factor * weights).astype(np.int64), high)

    for _ in range(100):
        middle = (left + right) / 2
        left, right = (middle, right) if shares(middle).sum() <= total else (left, middle)
    result = shares(left)
    while rest := total - int(result.sum()):
        room = np.flatnonzero(result < high)
        result[room[np.argsort(-weights[room], kind="stable")[:rest]]] += 1
    return result


def _cumulative(weights: np.ndarray) -> np.ndarray:
    """Cumulate shares; the last one is exactly 1."""
    sums = np.cumsum(weights)
    return sums / sums[-1]


def _text(numbers: np.ndarray) -> pa.Array:
    return pa.array(numbers).cast(pa.string())
