"""A dot-product recommender with given embeddings, and a catalog to serve it with."""

import numpy as np
import tensorflow as tf

from schema import features
from trainer.data.catalog import Catalog, CatalogTensors
from trainer.data.interactions import UserTable
from trainer.models.base import Recommender
from trainer.serving.scorer import Scorer
from trainer.serving.signatures import ServingModel


class Untrained(Recommender):
    """A Recommender that a test makes itself and does not train."""

    @classmethod
    def from_config(cls, config, sizes):
        raise NotImplementedError

    def compute_loss(self, inputs, training=False):
        raise NotImplementedError


class DotProduct(Untrained):
    """score(u, i) = user_embeddings[u] . item_embeddings[i]."""

    def __init__(self, catalog, user_embeddings, item_embeddings):
        super().__init__(CatalogTensors(catalog))
        self._user_codes = tf.Variable(user_embeddings, dtype=tf.float32)
        self._item_codes = tf.Variable(item_embeddings, dtype=tf.float32)

    def user_embedding(self, users, training=False):
        return tf.gather(self._user_codes, users[features.USER_INDEX])

    def item_embedding(self, positions, training=False):
        return self.catalog.rows(self._item_codes, positions)

    def score(self, user_embeddings, item_embeddings):
        return tf.linalg.matvec(item_embeddings, user_embeddings)

    def score_all(self, user_embeddings, item_embeddings):
        return tf.matmul(user_embeddings, item_embeddings, transpose_b=True)


def make_catalog(counts, genres=None, years=None):
    size = len(counts)
    names = sorted({name for row in genres or [] for name in row}) or ["Drama"]
    return Catalog(
        item_ids=np.asarray([f"i{position}".encode() for position in range(size)], object),
        titles=np.asarray([f"Title {position}".encode() for position in range(size)], object),
        buckets=np.zeros(0, np.int32),
        genres=np.asarray(
            [[float(name in row) for name in names] for row in genres or [[]] * size], np.float32
        ),
        genre_names=tuple(names),
        year=np.asarray(years or [-1] * size, np.int32),
        year_index=np.zeros(size, np.int32),
        counts=np.asarray(counts, np.int64),
        num_buckets=1,
    )


def make_serving(
    user_embeddings, item_embeddings, counts, histories, k=10, cold_start="popularity", **catalog
):
    """A ServingModel of the users u0, u1, ... and the items i0, i1, ...."""
    catalog = make_catalog(counts, **catalog)
    unknown = np.zeros((1, np.shape(user_embeddings)[1]))
    model = DotProduct(
        catalog,
        np.concatenate([user_embeddings, unknown]),
        np.concatenate([item_embeddings, unknown]),
    )
    lengths = [len(history) for history in histories]
    users = UserTable(
        context=np.zeros((len(histories) + 1, len(features.USER_CONTEXT)), np.int32),
        history=np.concatenate([*histories, []]).astype(np.int32),
        history_splits=np.concatenate([[0], np.cumsum([*lengths, 0])]).astype(np.int64),
    )
    names = [f"u{row}".encode() for row in range(len(histories))]
    scorer = Scorer(model, users, len(names), catalog.counts, cold_start)
    return ServingModel(scorer, catalog, names, 1, k)


def row(user, history=(), target=None, candidates=(), **others):
    """A serialized raw example."""

    def feature(values):
        if isinstance(values[0], int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        return tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[value.encode() for value in values])
        )

    values = {
        features.USER_ID: [user],
        features.ITEM_ID: list(history),
        features.TARGET_ITEM_ID: [target] if isinstance(target, str) else list(target or []),
        features.CANDIDATE_ITEM_ID: list(candidates),
        **{name: [value] for name, value in others.items()},
    }
    return tf.train.Example(
        features=tf.train.Features(
            feature={name: feature(value) for name, value in values.items() if value}
        )
    ).SerializeToString()
