"""The ids and tokens that rows of embedding tables stand for, of one training."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from schema import features
from trainer.config.trainer import TrainerConfig
from trainer.config.two_tower import TwoTowerConfig
from trainer.data.catalog import title_words
from trainer.data.dataset import Dataset


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Name what the rows of a table stand for.

    Attributes:
      first: rows before the first entry's, for what is unknown.
      entries: raw ids or tokens; rows after theirs are out-of-vocabulary
        buckets.
    """

    first: int
    entries: tuple[bytes, ...]


def vocabularies_of(
    names: Iterable[str], config: TrainerConfig, dataset: Dataset
) -> dict[str, Vocabulary]:
    """Return the vocabularies that tables of a training's model run over.

    Args:
      names: of them, see Recommender.tables.
      config: of the training.
      dataset: that it learns from.

    Returns:
      By name.
    """
    catalog = dataset.catalog
    make = {
        features.USER_ID: lambda: Vocabulary(0, tuple(dataset.user_vocabulary)),
        features.ITEM_ID: lambda: Vocabulary(
            0, tuple(catalog.item_ids[: catalog.num_vocabulary].tolist())
        ),
        features.CATALOG: lambda: Vocabulary(0, tuple(catalog.item_ids)),
        features.GENRES: lambda: Vocabulary(0, _encoded(catalog.genre_names)),
        features.TITLE: lambda: Vocabulary(
            1,
            _encoded(
                title_words(catalog.titles, config.section(TwoTowerConfig).title_min_count)[0]
            ),
        ),
        features.GENDER: lambda: Vocabulary(1, tuple(dataset.genders)),
        features.OCCUPATION: lambda: Vocabulary(1, tuple(dataset.occupations)),
    }
    return {name: make[name]() for name in names}


def _encoded(names: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(name.encode() for name in names)
