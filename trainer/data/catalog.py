"""The candidate set: every item that can be ranked, with its features.

Read by trainer.run_fn from the catalog Examples; models see it as
CatalogTensors, the exported model keeps ids and titles. An item is named by
its position, the row in the catalog ordered as CatalogExampleGen wrote it.
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
    """C candidate items; arrays share the first axis.

    Attributes:
      item_ids: bytes objects [C], raw ids.
      titles: bytes objects [C], b"" where unknown.
      item_index: int32 [C], row in the item vocabulary, or an
        out-of-vocabulary index for an item without training interactions.
      genres: float32 [C, G], 1 where the item has the genre.
      genre_names: the G genres in alphabetical order.
      year: int32 [C], -1 where unknown.
      year_index: int32 [C], decade group, 0 where the year is unknown.
      counts: int64 [C], interactions known at training time.
      num_vocabulary: rows of the item vocabulary.
      num_indices: the same and the out-of-vocabulary buckets.
    """

    item_ids: np.ndarray
    titles: np.ndarray
    item_index: np.ndarray
    genres: np.ndarray
    genre_names: tuple[str, ...]
    year: np.ndarray
    year_index: np.ndarray
    counts: np.ndarray
    num_vocabulary: int
    num_indices: int

    @property
    def size(self) -> int:
        """Number of candidate items."""
        return len(self.item_ids)

    def with_counts(self, counts: np.ndarray) -> Catalog:
        """The same catalog with other popularity counts.

        Args:
          counts: int64 [C].

        Returns:
          A new Catalog.
        """
        return dataclasses.replace(self, counts=counts)


class CatalogTensors(tf.Module):
    """A Catalog's features as constants that models gather from.

    Args:
      catalog: the NumPy catalog; kept as `source` for what models derive of it.
    """

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self.source = catalog
        self.size = catalog.size
        self.num_vocabulary = catalog.num_vocabulary
        self.num_indices = catalog.num_indices
        self.num_genres = catalog.genres.shape[1]
        self.item_index = tf.constant(catalog.item_index, tf.int32)
        self.genres = tf.constant(catalog.genres, tf.float32)
        self.year_index = tf.constant(catalog.year_index, tf.int32)
        self.year_value = tf.constant(standardized_years(catalog.year), tf.float32)


def read_catalog(
    files: Sequence[str], item_vocabulary: Sequence[bytes], oov_buckets: int
) -> Catalog:
    """Reads the catalog split and joins it with the item vocabulary.

    Args:
      files: TFRecord files of the catalog split.
      item_vocabulary: raw ids in the order of Transform's vocabulary.
      oov_buckets: out-of-vocabulary buckets after it.

    Returns:
      The catalog, with zero counts.

    Raises:
      UserError: the catalog has no items.
    """
    columns, item_genres = _read_columns(files)
    if not len(columns[features.ITEM_ID]):
        raise UserError("The catalog has no items; expected at least one.")
    genre_names, genres = _multi_hot(item_genres)
    return Catalog(
        item_ids=columns[features.ITEM_ID],
        titles=columns[features.TITLE],
        item_index=vocabulary_index(columns[features.ITEM_ID], item_vocabulary, oov_buckets),
        genres=genres,
        genre_names=genre_names,
        year=columns[features.YEAR].astype(np.int32),
        year_index=_decade(columns[features.YEAR]),
        counts=np.zeros(len(columns[features.ITEM_ID]), np.int64),
        num_vocabulary=len(item_vocabulary),
        num_indices=len(item_vocabulary) + oov_buckets,
    )


def vocabulary_index(ids: np.ndarray, vocabulary: Sequence[bytes], oov_buckets: int) -> np.ndarray:
    """Index of raw ids as Transform computes it.

    Args:
      ids: bytes objects [N].
      vocabulary: raw ids in order.
      oov_buckets: buckets that other ids are hashed into, after the vocabulary.

    Returns:
      int32 [N].
    """
    rows = {item: row for row, item in enumerate(vocabulary)}
    buckets = tf.strings.to_hash_bucket_fast(tf.constant(ids, tf.string), oov_buckets).numpy()
    index = [rows.get(item, len(rows) + bucket) for item, bucket in zip(ids, buckets, strict=True)]
    return np.asarray(index, np.int32)


def standardized_years(years: np.ndarray) -> np.ndarray:
    """Years less their mean, in standard deviations.

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
    """The words of titles: runs of letters and digits, in lower case, each once a title.

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
