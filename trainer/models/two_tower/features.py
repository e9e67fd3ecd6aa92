"""Features of users and items as vectors, and the layers above them.

A feature's part is float32 [K, width]; a tower runs on all parts side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from schema import features
from trainer.config.two_tower import ID, TwoTowerConfig
from trainer.data.batches import HISTORY
from trainer.data.catalog import NUM_YEAR_GROUPS, CatalogTensors, title_words
from trainer.models.base import DataSizes
from trainer.models.initializers import KnownRows
from trainer.models.two_tower.sequence.encoders import last_outputs, make_encoder

# Brings ages to about zero mean and unit variance.
_AGE_CENTRE, _AGE_SCALE = 35.0, 15.0
_INDICES = {
    "gender": features.GENDER_INDEX,
    "age": features.AGE_INDEX,
    "occupation": features.OCCUPATION_INDEX,
}


class _Features(tf.keras.layers.Layer):
    def __init__(self, name: str, settings: TwoTowerConfig) -> None:
        super().__init__(name=name)
        self._settings = settings

    def _table(self, name: str, rows: int, width: int, known: int | None = None) -> tf.Variable:
        l2 = self._settings.l2
        return self.add_weight(
            name=f"{name}_embedding",
            shape=(rows, width),
            initializer=KnownRows(
                rows if known is None else known, self._settings.embeddings_initializer
            ),
            regularizer=tf.keras.regularizers.L2(l2) if l2 else None,
        )

    def _ids(self, name: str, rows: int, known: int) -> tf.Variable:
        return self._table(name, rows, self._settings.embedding_dim, known)


class ItemFeatures(_Features):
    """Embed what the item tower reads.

    Args:
      settings: names and widths.
      catalog: the items.

    Attributes:
      names: of the features that the catalog has any of.
    """

    def __init__(self, settings: TwoTowerConfig, catalog: CatalogTensors) -> None:
        super().__init__("item_features", settings)
        self._catalog = catalog
        names = list(settings.item_features)
        width = settings.feature_dim
        if ID in names:
            self._item_id = self._ids("item", catalog.num_rows, catalog.num_vocabulary)
        if "genres" in names and catalog.num_genres:
            self._genre = self._table("genre", catalog.num_genres, width)
        elif "genres" in names:
            names.remove("genres")
        if "year" in names:
            self._year = self._table("year", NUM_YEAR_GROUPS, width)
        if "year_value" in names:
            self._year_value = self._table("year_value", 1, width)
        if "title" in names:
            words, numbers = title_words(catalog.source.titles, settings.title_min_count)
            self._numbers = tf.constant(numbers)
            # Row 0 stands for padding and is multiplied by zero.
            self._word = self._table("title_word", len(words) + 1, width)
        self.names = tuple(names)

    def tables(self) -> dict[str, Sequence[tf.Variable]]:
        """See Recommender; decades are the same in all catalogs."""
        tables: dict[str, Sequence[tf.Variable]] = {}
        if ID in self.names:
            tables[features.ITEM_ID] = [self._item_id]
        if "genres" in self.names:
            tables[features.GENRES] = [self._genre]
        if "title" in self.names:
            tables[features.TITLE] = [self._word]
        return tables

    def parts(self, positions: tf.Tensor) -> list[tf.Tensor]:
        """Embed items.

        Args:
          positions: int32 [K] catalog positions.

        Returns:
          float32 [K, width], one a name in `names`.
        """
        return [_EMBED[name](self, positions) for name in self.names]

    def mean_id(self, positions: tf.Tensor) -> tf.Tensor:
        """Average the id embeddings of lists of items.

        Args:
          positions: int32 [B, L] catalog positions, negative where padded.

        Returns:
          float32 [B, D], zeros for an empty list.
        """
        rows = self._embed_id(tf.maximum(positions, 0))
        return _mean(rows, positions >= 0)

    def categories(self) -> list[np.ndarray]:
        """Describe each feature in `names` by integer categories [C], a set being one category."""
        source = self._catalog.source
        columns = {
            ID: np.arange(source.size),
            "genres": np.unique(source.genres, axis=0, return_inverse=True)[1].reshape(-1),
            "year": source.year_index,
            "year_value": source.year,
        }
        if "title" in self.names:
            sets = np.sort(self._numbers.numpy(), axis=1)
            columns["title"] = np.unique(sets, axis=0, return_inverse=True)[1].reshape(-1)
        return [columns[name] for name in self.names]

    def _embed_id(self, positions: tf.Tensor) -> tf.Tensor:
        return self._catalog.rows(self._item_id, positions)

    def _embed_genres(self, positions: tf.Tensor) -> tf.Tensor:
        hot = tf.gather(self._catalog.genres, positions)
        mean = hot / tf.maximum(tf.reduce_sum(hot, axis=1, keepdims=True), 1.0)
        return tf.matmul(mean, self._genre)

    def _embed_year(self, positions: tf.Tensor) -> tf.Tensor:
        return tf.gather(self._year, tf.gather(self._catalog.year_index, positions))

    def _embed_year_value(self, positions: tf.Tensor) -> tf.Tensor:
        return tf.gather(self._catalog.year_value, positions)[:, None] * self._year_value

    def _embed_title(self, positions: tf.Tensor) -> tf.Tensor:
        numbers = tf.gather(self._numbers, positions)
        return _mean(tf.gather(self._word, numbers), numbers > 0)


_EMBED = {
    ID: ItemFeatures._embed_id,
    "genres": ItemFeatures._embed_genres,
    "year": ItemFeatures._embed_year,
    "year_value": ItemFeatures._embed_year_value,
    "title": ItemFeatures._embed_title,
}


class UserFeatures(_Features):
    """Embed what the user tower reads.

    Args:
      settings: names and widths.
      sizes: rows of the tables.
      items: embed the history.
      item_rows: gives items, int32 [K], the vectors that an encoder of their order
        reads, float32 [K, D].
    """

    def __init__(
        self,
        settings: TwoTowerConfig,
        sizes: DataSizes,
        items: ItemFeatures,
        item_rows: Callable[[tf.Tensor], tf.Tensor],
    ) -> None:
        super().__init__("user_features", settings)
        self._items = items
        self._item_rows = item_rows
        self._encoder = make_encoder(settings)
        rows = dict(zip(features.USER_CONTEXT_INDICES, sizes.context_sizes, strict=True))
        self._tables: dict[str, tf.Variable] = {}
        for name in settings.user_features:
            if name == ID:
                known = sizes.num_users - sizes.unknown_users
                self._tables[name] = self._ids("user", sizes.num_users, known)
            elif name == "age_value":
                self._tables[name] = self._table(name, 1, settings.feature_dim)
            elif name in _INDICES:
                index = _INDICES[name]
                self._tables[name] = self._table(index, rows[index], settings.feature_dim)

    def tables(self) -> dict[str, Sequence[tf.Variable]]:
        """See Recommender; age groups are the same in all data."""
        names: dict[str, str] = {
            ID: features.USER_ID,
            "gender": features.GENDER,
            "occupation": features.OCCUPATION,
        }
        return {names[name]: [table] for name, table in self._tables.items() if name in names}

    def parts(self, users: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """Embed users.

        Args:
          users: as Recommender.user_embedding takes them.

        Returns:
          float32 [B, width], one a name in the settings' user_features.
        """
        return [self._part(name, users) for name in self._settings.user_features]

    def position_parts(
        self, users: dict[str, tf.Tensor], rows: tf.Tensor, training: bool
    ) -> list[tf.Tensor]:
        """Embed users as they were at each position of their histories.

        Args:
          users: see `parts`; histories are int32 [B, L].
          rows: float32 [C, D], what `item_rows` gives the whole catalog.
          training: whether dropout acts.

        Returns:
          float32 [B * L, width], one a name in the settings' user_features.
        """
        assert self._encoder is not None
        read = tf.gather(rows, tf.maximum(users[HISTORY], 0))
        found = tf.reshape(self._encoder(read, training=training), [-1, rows.shape[1]])
        length = tf.shape(users[HISTORY])[1]
        return [
            found if name == HISTORY else tf.repeat(self._part(name, users), length, axis=0)
            for name in self._settings.user_features
        ]

    def _part(self, name: str, users: dict[str, tf.Tensor]) -> tf.Tensor:
        if name == HISTORY:
            if self._encoder is None:
                return self._items.mean_id(users[HISTORY])
            return last_outputs(self._encoder, self._item_rows, users[HISTORY])
        if name == "age_value":
            age = tf.cast(users[features.AGE], tf.float32)
            value = tf.where(age > 0, (age - _AGE_CENTRE) / _AGE_SCALE, 0.0)
            return value[:, None] * self._tables[name]
        index = features.USER_INDEX if name == ID else _INDICES[name]
        return tf.gather(self._tables[name], users[index])


def make_layers(settings: TwoTowerConfig, name: str) -> tf.keras.Sequential:
    """Stack the layers of one tower, from its features side by side to its output.

    Args:
      settings: widths, batch normalization and dropout.
      name: of the tower.

    Returns:
      A model from float32 [K, W] to float32 [K, D], D being the settings' output_dim.
    """
    layers = []

    def normalized() -> None:
        if settings.batch_norm:
            layers.append(tf.keras.layers.BatchNormalization())

    normalized()
    layers.append(tf.keras.layers.Dropout(settings.dropout))
    before = settings.batch_norm_order == "before_relu"
    for width in settings.hidden_units:
        layers.append(tf.keras.layers.Dense(width))
        if before:
            normalized()
        layers.append(tf.keras.layers.ReLU())
        if not before:
            normalized()
        layers.append(tf.keras.layers.Dropout(settings.dropout))
    layers.append(tf.keras.layers.Dense(settings.width))
    return tf.keras.Sequential(layers, name=name)


def _mean(rows: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Average over axis 1 of [K, L, D] where `counted` [K, L] holds; zeros where nothing counts."""
    weight = tf.cast(counted, rows.dtype)
    total = tf.einsum("kld,kl->kd", rows, weight)
    return total / tf.maximum(tf.reduce_sum(weight, axis=1, keepdims=True), 1.0)
