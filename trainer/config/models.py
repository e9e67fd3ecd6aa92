"""The models, one row each: all that the rest of the project knows of a model by its name.

A new model adds its module and its row. The row names the model's class by
dotted path, so that settings are read without TensorFlow.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from schema.settings import Settings
from trainer.config.baselines import EASEConfig, IALSConfig, ItemKNNConfig, MFConfig
from trainer.config.domains import Domain, Range
from trainer.config.neumf import NeuMFConfig
from trainer.config.ratings import MultiTaskConfig, RatingConfig
from trainer.config.two_tower import TwoTowerConfig

if TYPE_CHECKING:
    from trainer.config.trainer import TrainerConfig


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """Declare a model, as a row of MODELS.

    Attributes:
      model: dotted path of the class, a trainer.models.base.Recommender.
      sections: its settings, by their key below `trainer`; models may share one.
      default_space: what a search varies unless told, by key below `trainer`.
      solved: whether it is solved for in one process, without gradients (the
        class is a SolvedModel).
      warm_start: whether it has weights to start from.
      predicts_ratings: whether it learns from ratings and predicts them.
      criterion: the validation metric that chooses its best epoch, "ndcg" or "rmse".
      needs_negatives: tells whether its loss needs sampled negatives in batches.
      mixed_precision: whether it can compute in fewer bits than 32.
      tflite: tells whether TensorFlow Lite's built-in operations compute its
        scores; they gather no ragged rows, such as histories.
    """

    model: str
    sections: Mapping[str, type[Settings]] = dataclasses.field(default_factory=dict)
    default_space: Mapping[str, Domain] = dataclasses.field(default_factory=dict)
    solved: bool = False
    warm_start: bool = True
    predicts_ratings: bool = False
    criterion: str = "ndcg"
    needs_negatives: Callable[[TrainerConfig], bool] = lambda config: False
    mixed_precision: bool = False
    tflite: Callable[[TrainerConfig], bool] = lambda config: True


def _always(config: TrainerConfig) -> bool:
    return True


def _never(config: TrainerConfig) -> bool:
    return False


def _without_history(config: TrainerConfig) -> bool:
    return not config.section(TwoTowerConfig).reads_history


def _unless_softmax(config: TrainerConfig) -> bool:
    return config.section(TwoTowerConfig).samples_negatives


_RATE = Range(low=3e-4, high=3e-2, log=True)
_NEGATIVES = Range(low=2, high=8)
_NEUMF: Mapping[str, Domain] = {
    "learning_rate": _RATE,
    "neumf.embedding_dim": (8, 16, 32, 64),
    "neumf.l2_mf": Range(low=1e-8, high=1e-4, log=True),
    "negatives_per_positive": _NEGATIVES,
}
_TOWERS: Mapping[str, Domain] = {
    "learning_rate": _RATE,
    "two_tower.embedding_dim": (32, 64, 128),
    "two_tower.temperature": Range(low=0.03, high=0.3, log=True),
}

MODELS: dict[str, ModelSpec] = {
    "gmf": ModelSpec(
        model="trainer.models.neumf.NeuMF",
        sections={"neumf": NeuMFConfig},
        default_space=_NEUMF,
        needs_negatives=_always,
        mixed_precision=True,
    ),
    "mlp": ModelSpec(
        model="trainer.models.neumf.NeuMF",
        sections={"neumf": NeuMFConfig},
        default_space={"learning_rate": _RATE, "negatives_per_positive": _NEGATIVES},
        needs_negatives=_always,
        mixed_precision=True,
    ),
    "neumf": ModelSpec(
        model="trainer.models.neumf.NeuMF",
        sections={"neumf": NeuMFConfig},
        default_space=_NEUMF,
        needs_negatives=_always,
        mixed_precision=True,
    ),
    "two_tower": ModelSpec(
        model="trainer.models.two_tower.model.TwoTower",
        sections={"two_tower": TwoTowerConfig},
        default_space={**_TOWERS, "two_tower.dropout": Range(low=0.0, high=0.4, step=0.1)},
        needs_negatives=_unless_softmax,
        tflite=_without_history,
    ),
    # It has no hyper-parameters.
    "popularity": ModelSpec(
        model="trainer.models.popularity.Popularity", solved=True, warm_start=False
    ),
    "itemknn": ModelSpec(
        model="trainer.models.item_based.itemknn.ItemKNN",
        sections={"itemknn": ItemKNNConfig},
        default_space={
            "itemknn.neighbors": Range(low=10, high=300, log=True),
            "itemknn.shrinkage": Range(low=0.0, high=100.0, step=5.0),
        },
        solved=True,
        warm_start=False,
        tflite=_never,
    ),
    "mf": ModelSpec(
        model="trainer.models.mf.MF",
        sections={"mf": MFConfig},
        default_space={
            "learning_rate": _RATE,
            "mf.embedding_dim": (32, 64, 128, 192),
            "mf.l2": Range(low=3e-4, high=3e-2, log=True),
        },
        needs_negatives=_always,
    ),
    "ials": ModelSpec(
        model="trainer.models.ials.IALS",
        sections={"ials": IALSConfig},
        default_space={
            "ials.embedding_dim": (32, 64, 128, 192),
            "ials.unobserved_weight": Range(low=0.03, high=1.0, log=True),
            "ials.l2": Range(low=1e-3, high=0.1, log=True),
        },
        solved=True,
    ),
    "ease": ModelSpec(
        model="trainer.models.item_based.ease.EASE",
        sections={"ease": EASEConfig},
        default_space={"ease.l2": Range(low=30.0, high=5000.0, log=True)},
        solved=True,
        warm_start=False,
        tflite=_never,
    ),
    "rating": ModelSpec(
        model="trainer.models.rating.Rating",
        sections={"rating": RatingConfig},
        default_space={
            "learning_rate": _RATE,
            "rating.embedding_dim": (16, 32, 64),
            "rating.l2": Range(low=1e-6, high=1e-2, log=True),
            "rating.dropout": Range(low=0.0, high=0.4, step=0.1),
        },
        predicts_ratings=True,
        criterion="rmse",
    ),
    "multi_task": ModelSpec(
        model="trainer.models.two_tower.multi_task.MultiTask",
        sections={"two_tower": TwoTowerConfig, "multi_task": MultiTaskConfig},
        default_space={**_TOWERS, "multi_task.rating_weight": Range(low=0.1, high=10.0, log=True)},
        predicts_ratings=True,
        needs_negatives=_unless_softmax,
        tflite=_without_history,
    ),
}


def sections() -> dict[str, type[Settings]]:
    """Return the models' settings classes by their key below `trainer`, in the rows' order."""
    return {key: kind for spec in MODELS.values() for key, kind in spec.sections.items()}


def read_sections(given: Mapping[str, Any]) -> dict[str, Settings]:
    """Check the models' settings; those that are left out have their defaults.

    Args:
      given: settings, or their plain values, by key below `trainer`.

    Returns:
      The settings of every section, in the order of `sections`.

    Raises:
      ValidationError: pydantic's, for an unknown key or a bad value.
    """
    return dict(_reader(tuple(sections().items())).model_validate(given))


@functools.lru_cache
def _reader(kinds: tuple[tuple[str, type[Settings]], ...]) -> type[Settings]:
    fields: dict[str, Any] = {key: (kind, kind()) for key, kind in kinds}
    return create_model("Sections", __base__=Settings, **fields)
