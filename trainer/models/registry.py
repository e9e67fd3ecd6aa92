"""The models' classes by the names of trainer.config.models.MODELS."""

from __future__ import annotations

import importlib

from trainer.config.models import MODELS
from trainer.config.trainer import TrainerConfig
from trainer.models.base import DataSizes, Recommender


def model_class(name: str) -> type[Recommender]:
    """Load the class of a model.

    Args:
      name: one of MODELS.

    Returns:
      The class that its row names.
    """
    module, _, attribute = MODELS[name].model.rpartition(".")
    found: type[Recommender] = getattr(importlib.import_module(module), attribute)
    return found


def build(config: TrainerConfig, sizes: DataSizes) -> Recommender:
    """Build the model that a configuration names.

    Args:
      config: of the training.
      sizes: of the data.

    Returns:
      The model with initial weights.
    """
    return model_class(config.model).from_config(config, sizes)
