"""The models by name; a new model adds one line to BUILDERS."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trainer.config.baselines import EASEConfig, IALSConfig, ItemKNNConfig, MFConfig
from trainer.config.neumf import NeuMFConfig
from trainer.config.ratings import MultiTaskConfig, RatingConfig
from trainer.config.trainer import TrainerConfig
from trainer.config.two_tower import TwoTowerConfig
from trainer.data.catalog import Catalog, CatalogTensors
from trainer.models.base import Recommender
from trainer.models.ials import IALS
from trainer.models.item_based.ease import EASE
from trainer.models.item_based.itemknn import ItemKNN
from trainer.models.mf import MF
from trainer.models.neumf import NeuMF
from trainer.models.popularity import Popularity
from trainer.models.rating import Rating
from trainer.models.two_tower.model import TwoTower
from trainer.models.two_tower.multi_task import MultiTask


@dataclasses.dataclass(frozen=True)
class DataSizes:
    """What a model must know of the data to size its tables.

    Attributes:
      num_users: user vocabulary rows and out-of-vocabulary buckets.
      context_sizes: rows of each context feature's table, in the order of
        schema.features.USER_CONTEXT_INDICES.
      catalog: the candidate items, `counts` being the training interactions.
      unknown_users: how many of num_users are out-of-vocabulary buckets.
    """

    num_users: int
    context_sizes: Sequence[int]
    catalog: Catalog
    unknown_users: int = 0


def _neumf(config: TrainerConfig, sizes: DataSizes) -> Recommender:
    """gmf, mlp or neumf, as config.model names it."""
    parts = ("gmf", "mlp") if config.model == "neumf" else (config.model,)
    catalog = CatalogTensors(sizes.catalog)
    return NeuMF(config.section(NeuMFConfig), sizes.num_users, catalog, parts, config.precision)


def _two_tower(config: TrainerConfig, sizes: DataSizes) -> Recommender:
    return TwoTower(*_towers(config, sizes))


def _multi_task(config: TrainerConfig, sizes: DataSizes) -> Recommender:
    return MultiTask(config.section(MultiTaskConfig), *_towers(config, sizes))


def _rating(config: TrainerConfig, sizes: DataSizes) -> Recommender:
    catalog = CatalogTensors(sizes.catalog)
    return Rating(config.section(RatingConfig), sizes.num_users, sizes.unknown_users, catalog)


def _towers(config: TrainerConfig, sizes: DataSizes) -> tuple[Any, ...]:
    """Arguments of TwoTower."""
    counts = sizes.catalog.counts
    return (
        config.section(TwoTowerConfig),
        sizes.num_users,
        sizes.context_sizes,
        CatalogTensors(sizes.catalog),
        (counts / max(int(counts.sum()), 1)).astype(np.float32),
        config.seed,
        sizes.unknown_users,
    )


def _popularity(config: TrainerConfig, sizes: DataSizes) -> Recommender:
    return Popularity(CatalogTensors(sizes.catalog))


def _itemknn(config: TrainerConfig, sizes: DataSizes) -> Recommender:
    interactions = int(sizes.catalog.counts.sum())
    return ItemKNN(
        config.section(ItemKNNConfig), sizes.num_users, interactions, CatalogTensors(sizes.catalog)
    )


def _mf(config: TrainerConfig, sizes: DataSizes) -> Recommender:
    return MF(config.section(MFConfig), sizes.num_users, CatalogTensors(sizes.catalog))


def _ials(config: TrainerConfig, sizes: DataSizes) -> Recommender:
    return IALS(config.section(IALSConfig), sizes.num_users, CatalogTensors(sizes.catalog))


def _ease(config: TrainerConfig, sizes: DataSizes) -> Recommender:
    interactions = int(sizes.catalog.counts.sum())
    return EASE(
        config.section(EASEConfig), sizes.num_users, interactions, CatalogTensors(sizes.catalog)
    )


BUILDERS: dict[str, Callable[[TrainerConfig, DataSizes], Recommender]] = {
    "gmf": _neumf,
    "mlp": _neumf,
    "neumf": _neumf,
    "two_tower": _two_tower,
    "popularity": _popularity,
    "itemknn": _itemknn,
    "mf": _mf,
    "ials": _ials,
    "ease": _ease,
    "rating": _rating,
    "multi_task": _multi_task,
}
