"""A training data set in memory with planted groups: users like their own group's items."""

import dataclasses

import numpy as np

from schema import features
from trainer.config.baselines import EASEConfig, IALSConfig, ItemKNNConfig, MFConfig
from trainer.config.evaluation import EvaluationConfig, ProtocolConfig
from trainer.config.neumf import NeuMFConfig
from trainer.config.ratings import MultiTaskConfig, RatingConfig
from trainer.config.sequence import SequenceConfig
from trainer.config.trainer import TrainerConfig
from trainer.config.two_tower import TwoTowerConfig
from trainer.data.catalog import Catalog
from trainer.data.dataset import Dataset
from trainer.data.interactions import ABSENT, Interactions, splits_of

GROUPS = 4
EVALUATION = EvaluationConfig(
    k=5,
    protocols={
        "full": ProtocolConfig(),
        "sampled": ProtocolConfig(candidates="sampled", negatives=20),
    },
)
CONFIGS = {
    "gmf": TrainerConfig(
        model="gmf",
        epochs=12,
        batch_size=64,
        learning_rate=0.02,
        patience=0,
        neumf=NeuMFConfig(embedding_dim=4),
    ),
    "mlp": TrainerConfig(
        model="mlp",
        epochs=12,
        batch_size=64,
        learning_rate=0.05,
        patience=0,
        neumf=NeuMFConfig(hidden_units=(16, 16), l2_mlp=(0.0, 0.0)),
    ),
    "neumf": TrainerConfig(
        model="neumf",
        epochs=12,
        batch_size=64,
        learning_rate=0.02,
        patience=0,
        neumf=NeuMFConfig(embedding_dim=4, hidden_units=(8, 8), l2_mlp=(0.0, 0.0)),
    ),
    "two_tower": TrainerConfig(
        model="two_tower",
        epochs=12,
        batch_size=64,
        learning_rate=0.02,
        patience=0,
        two_tower=TwoTowerConfig(embedding_dim=8, feature_dim=4),
    ),
    "popularity": TrainerConfig(model="popularity", epochs=3),
    "itemknn": TrainerConfig(
        model="itemknn", epochs=3, itemknn=ItemKNNConfig(neighbors=20, shrinkage=1.0)
    ),
    "mf": TrainerConfig(
        model="mf",
        epochs=12,
        batch_size=64,
        learning_rate=0.02,
        patience=0,
        mf=MFConfig(embedding_dim=8, l2=0.001),
    ),
    "ials": TrainerConfig(
        model="ials",
        epochs=6,
        patience=0,
        ials=IALSConfig(embedding_dim=8, stddev=0.01, unobserved_weight=0.1),
    ),
    "ease": TrainerConfig(model="ease", epochs=3, ease=EASEConfig(l2=10.0)),
    "rating": TrainerConfig(
        model="rating",
        epochs=12,
        batch_size=64,
        learning_rate=0.02,
        patience=0,
        rating=RatingConfig(embedding_dim=8, hidden_units=(16, 8)),
    ),
    "multi_task": TrainerConfig(
        model="multi_task",
        epochs=12,
        batch_size=64,
        learning_rate=0.02,
        patience=0,
        two_tower=TwoTowerConfig(embedding_dim=8, feature_dim=4),
        multi_task=MultiTaskConfig(hidden_units=(16,)),
    ),
}


# Of towers that read ordered histories; small, and without dropout.
SEQUENCE_TOWERS = TwoTowerConfig(
    embedding_dim=8,
    user_features=("history",),
    history_encoder="hstu",
    history_limit=6,
    loss="full_softmax",
    sequence=SequenceConfig(blocks=1, dropout=0.0),
)


def rating(items):
    """Planted ratings: 5 for the good items, 2 for the others."""
    return np.where((np.asarray(items, int) // GROUPS) % 2, 5.0, 2.0)


def make_histories(lists, targets=None, first=0, user_index=None, num_vocabulary=2**31 - 1):
    """Interactions of the users u0, u1, ..., or from `first` on, with catalog positions.

    `targets` has each user's list, in which an item that the catalog lacks is ABSENT. All items
    have a vocabulary row unless `num_vocabulary` says otherwise.
    """
    targets = [[]] * len(lists) if targets is None else targets
    lengths, asked = ([len(part) for part in parts] for parts in (lists, targets))
    flat, held = (np.concatenate([*parts, []]).astype(np.int32) for parts in (lists, targets))
    return Interactions(
        user_id=np.asarray([f"u{first + row}".encode() for row in range(len(lists))], object),
        user_index=np.arange(len(lists), dtype=np.int32) if user_index is None else user_index,
        context=np.ones((len(lists), len(features.USER_CONTEXT)), np.int32),
        positions=flat,
        splits=splits_of(lengths),
        ratings=rating(flat).astype(np.float32),
        targets=held,
        target_splits=splits_of(asked),
        target_ratings=np.where(held == ABSENT, np.nan, rating(held)).astype(np.float32),
        target_offsets=np.repeat(lengths, asked).astype(np.int32),
        num_vocabulary=num_vocabulary,
    )


def make_catalog(size, first=0, unknown=0):
    """Items i0, i1, ..., or from `first` on; the genre is the item's group.

    The last `unknown` items have no vocabulary row and share one bucket.
    """
    genres = np.zeros((size, GROUPS), np.float32)
    genres[np.arange(size), np.arange(size) % GROUPS] = 1.0
    return Catalog(
        item_ids=np.asarray([f"i{first + position}".encode() for position in range(size)], object),
        titles=np.asarray(
            [f"Title {first + position}".encode() for position in range(size)], object
        ),
        buckets=np.zeros(unknown, np.int32),
        genres=genres,
        genre_names=("Action", "Comedy", "Drama", "Horror"),
        year=np.full(size, -1, np.int32),
        year_index=np.zeros(size, np.int32),
        counts=np.zeros(size, np.int64),
        num_buckets=1,
    )


def make_dataset(users=80, items=60, length=8, seed=0, first=0):
    """Users consume only items of their group; valid holds out one more of these.

    With `first`, a multiple of GROUPS, ids start there and vocabularies have
    another order.
    """
    random = np.random.default_rng(seed)
    own = [random.permutation(np.arange(user % GROUPS, items, GROUPS)) for user in range(users)]
    histories = [positions[:length] for positions in own]
    targets = [positions[length : length + 1] for positions in own]
    user_index, item_row = np.arange(users, dtype=np.int32), np.arange(items, dtype=np.int32)
    if first:
        user_index, item_row = random.permutation(user_index), random.permutation(item_row)
    train = make_histories(histories, None, first, user_index, items)
    valid = make_histories(histories, targets, first, user_index, items)
    return Dataset(
        catalog=_ordered(make_catalog(items, first), np.argsort(item_row)),
        train=dataclasses.replace(train, positions=item_row[train.positions]),
        valid=dataclasses.replace(
            valid, positions=item_row[valid.positions], targets=item_row[valid.targets]
        ),
        user_vocabulary=[f"u{first + row}".encode() for row in np.argsort(user_index)],
        user_oov_buckets=1,
        genders=[b"F", b"M"],
        occupations=[b"writer"],
    )


def make_skewed_dataset(users=200, items=60, length=12, own=0.7, seed=0):
    """As make_dataset, but some items are popular, and users leave their group at times.

    A user picks an item of the own group with the probability `own`, else any other; among
    these the items of rank 1, 2, ... within their groups by Zipf's law.
    """
    random = np.random.default_rng(seed)
    popularity = 1.0 / (1 + np.arange(items) // GROUPS)
    lists = []
    for user in range(users):
        mine = np.arange(items) % GROUPS == user % GROUPS
        chance = popularity * np.where(mine, own, 1 - own)
        chance /= np.where(mine, popularity[mine].sum(), popularity[~mine].sum())
        lists.append(random.choice(items, length, replace=False, p=chance / chance.sum()))
    histories, targets = [picked[:-1] for picked in lists], [picked[-1:] for picked in lists]
    return dataclasses.replace(
        make_dataset(users, items, length),
        train=make_histories(histories, num_vocabulary=items),
        valid=make_histories(histories, targets, num_vocabulary=items),
    )


def _ordered(catalog, order):
    """The catalog's items in another order, as that of a vocabulary."""
    names = ("item_ids", "titles", "genres", "year", "year_index", "counts")
    return dataclasses.replace(catalog, **{name: getattr(catalog, name)[order] for name in names})
