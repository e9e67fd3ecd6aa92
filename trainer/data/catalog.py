"""The candidate set: every item that can be ranked, with its features.

Read from the catalog Examples; models see it as CatalogTensors, the exported
model keeps ids and titles. An item has one number, its position: the catalog
begins with the items of Transform's vocabulary in its order, so their positions
are their vocabulary rows, and items without a row follow in the order of their
ids' bytes.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from schema import features
from schema.errors import UserError

# Years are grouped by decade from here on; index 0 is "unknown" and 1 "earlier".
FIRST_DECADE = 1920
NUM_YEAR_GROUPS = 14


@dataclasses.dataclass(frozen=True)
class Catalog:
    """Hold C candidate items; arrays share the first axis.

    Attributes:
      item_ids: bytes objects [C], raw ids.
      titles: bytes objects [C], b"" where unknown.
      buckets: int32 [C - V], the out-of-vocabulary bucket of each item without a
        vocabulary row, the last ones of the catalog; items may share one.
      genres: float32 [C, G], 1 where the item has the genre.
      genre_names: the G genres in alphabetical order.
      year: int32 [C], -1 where unknown.
      year_index: int32 [C], decade group, 0 where the year is unknown.
      counts: int64 [C], interactions known at training time.
      num_buckets: out-of-vocabulary buckets.
    """

    item_ids: np.ndarray
    titles: np.ndarray
    buckets: np.ndarray
    genres: np.ndarray
    genre_names: tuple[str, ...]
    year: np.ndarray
    year_index: np.ndarray
    counts: np.ndarray
    num_buckets: int

    @property
    def size(self) -> int:
        """Number C of candidate items."""
        return len(self.item_ids)

    @property
    def num_vocabulary(self) -> int:
        """Number V of items with a vocabulary row, the first ones of the catalog."""
        return self.size - len(self.buckets)

    def shown_titles(self) -> list[bytes]:
        """Return what people read, "Heat (1995)" where the year is known; models have it apart."""
        return [
            b"%s (%d)" % (title, year) if title and year >= 0 else title
            for title, year in zip(self.titles.tolist(), self.year.tolist(), strict=True)
        ]

    def with_counts(self, counts: np.ndarray) -> Catalog:
        """Return the same catalog with other popularity counts.

        Args:
          counts: int64 [C].

        Returns:
          A new Catalog.
        """
        return dataclasses.replace(self, counts=counts)


class CatalogTensors(tf.Module):
    """Hold a Catalog's features as constants that models gather from.

    Args:
      catalog: the NumPy catalog; kept as `source` for what models derive of it.

    Attributes:
      size: number C of items.
      num_rows: rows of a table of items: one for each that has a vocabulary row,
        and after these one for each out-of-vocabulary bucket.
      num_vocabulary: how many of these rows are items' own.
    """

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self.source = catalog
        self.size = catalog.size
        self.num_vocabulary = catalog.num_vocabulary
        self.num_rows = catalog.num_vocabulary + catalog.num_buckets
        self.num_genres = catalog.genres.shape[1]
        self.genres = tf.constant(catalog.genres, tf.float32)
        self.year_index = tf.constant(catalog.year_index, tf.int32)
        self.year_value = tf.constant(standardized_years(catalog.year), tf.float32)
        own = np.arange(catalog.num_vocabulary)
        self._row = tf.constant(
            np.concatenate([own, catalog.num_vocabulary + catalog.buckets]), tf.int32
        )

    def rows(self, table: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """Gather the rows of items out of a table of `num_rows` rows.

        Args:
          table: [num_rows, ...].
          positions: int32 [...], positions in the catalog.

        Returns:
          Of the shape of `positions`, and of a row's.
        """
        return tf.gather(table, tf.gather(self._row, positions))


def read_catalog(
    files: Sequence[str], item_vocabulary: Sequence[bytes], oov_buckets: int
) -> Catalog:
    """Read the catalog split, in the order of the item vocabulary.

    Args:
      files: TFRecord files of the catalog split.
      item_vocabulary: raw ids in the order of Transform's vocabulary.
      oov_buckets: out-of-vocabulary buckets after it.

    Returns:
      The catalog, with zero counts.

    Raises:
      UserError: the catalog has no items, or lacks some of the vocabulary (another
        data set's catalog).
    """
    columns, item_genres = _read_columns(files)
    if not len(columns[features.ITEM_ID]):
        raise UserError("The catalog has no items; expected at least one.")
    order = _vocabulary_first(columns[features.ITEM_ID], item_vocabulary)
    columns = {name: values[order] for name, values in columns.items()}
    genre_names, genres = _multi_hot(item_genres)
    unknown = tf.constant(columns[features.ITEM_ID][len(item_vocabulary) :], tf.string)
    return Catalog(
        item_ids=columns[features.ITEM_ID],
        titles=columns[features.TITLE],
        # As Transform hashes what its vocabulary lacks.
        buckets=tf.strings.to_hash_bucket_fast(unknown, oov_buckets).numpy().astype(np.int32),
        genres=genres[order],
        genre_names=genre_names,
        year=columns[features.YEAR].astype(np.int32),
        year_index=_decade(columns[features.YEAR]),
        counts=np.zeros(len(order), np.int64),
        num_buckets=oov_buckets,
    )


def standardized_years(years: np.ndarray) -> np.ndarray:
    """Return years less their mean, in standard deviations.

    Args:
      years: int32 [C], -1 where unknown.

    Returns:
      float32 [C], 0 where unknown.
    """
    known = years >= 0
    if not known.any():
        return np.zeros(len(years), np.float32)
    values = (years - years[known].mean()) / max(years[known].std(), 1.0)
    return np.where(known, values, 0.0).astype(np.float32)


def title_words(titles: np.ndarray, min_count: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Find the words of titles: runs of letters and digits, in lower case, each once a title.

    A year in brackets at the end, as MovieLens writes it, is no word.

    Args:
      titles: bytes objects [C].
      min_count: titles that a word must occur in.

    Returns:
      The words in alphabetical order, and int32 [C, W] of their numbers from 1
      on, padded with 0; W >= 1 is the most words that a title has.
    """
    rows = []
    for title in titles:
        text = re.sub(r"\s*\(\d{4}\)\s*$", "", title.decode("utf-8", "replace")).lower()
        rows.append(dict.fromkeys(re.findall(r"[^\W_]+", text)))
    counts = collections.Counter(word for row in rows for word in row)
    words = sorted(word for word, count in counts.items() if count >= min_count)
    number = {word: position for position, word in enumerate(words, start=1)}
    kept = [[number[word] for word in row if word in number] for row in rows]
    padded = np.zeros((len(rows), max([1, *map(len, kept)])), np.int32)
    for row, numbers in enumerate(kept):
        padded[row, : len(numbers)] = numbers
    return tuple(words), padded


def _read_columns(
    files: Sequence[str],
) -> tuple[dict[str, np.ndarray], list[list[bytes]]]:
    specification = {
        features.ITEM_ID: tf.io.FixedLenFeature([], tf.string),
        features.TITLE: tf.io.FixedLenFeature([], tf.string, ""),
        features.YEAR: tf.io.FixedLenFeature([], tf.int64, -1),
        features.GENRES: tf.io.RaggedFeature(tf.string),
    }
    records = tf.data.TFRecordDataset(list(files), compression_type="GZIP").batch(4096)
    parts = [tf.io.parse_example(batch, specification) for batch in records]
    genres = [row for part in parts for row in part.pop(features.GENRES).to_list()]
    names = (features.ITEM_ID, features.TITLE, features.YEAR)
    if not parts:
        return {name: np.zeros(0) for name in names}, genres
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in names}, genres


def _vocabulary_first(ids: np.ndarray, vocabulary: Sequence[bytes]) -> np.ndarray:
    """Find the rows of the vocabulary's items in its order, then the others': int64 [C]."""
    row_of = {item: row for row, item in enumerate(ids)}
    missing = sum(item not in row_of for item in vocabulary)
    if missing:
        raise UserError(
            f"{missing} items of the interactions are not in the catalog; expected the catalog "
            f"of the same data."
        )
    own = np.asarray([row_of[item] for item in vocabulary], np.int64)
    return np.concatenate([own, np.setdiff1d(np.arange(len(ids)), own)])


def _multi_hot(genres: list[list[bytes]]) -> tuple[tuple[str, ...], np.ndarray]:
    names = sorted({name for row in genres for name in row})
    column = {name: position for position, name in enumerate(names)}
    matrix = np.zeros((len(genres), len(names)), np.float32)
    for row, items in enumerate(genres):
        matrix[row, [column[name] for name in items]] = 1.0
    return tuple(name.decode() for name in names), matrix


def _decade(years: np.ndarray) -> np.ndarray:
    group = np.clip((years - FIRST_DECADE) // 10 + 2, 1, NUM_YEAR_GROUPS - 1)
    return np.where(years < 0, 0, group).astype(np.int32)
