"""Wraps an exported model in an EvaluationModel, so that any protocol can be applied to it."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from components.evaluator.ranking.evaluation_model import EvaluationModel
from schema import features
from schema.errors import UserError
from trainer.config.evaluation import EvaluationConfig

# Signatures of the exported model that an EvaluationModel calls.
NEEDED = ("scores", "catalog", "known_users", "score")


@dataclasses.dataclass(frozen=True)
class ModelFacts:
    """Hold what an exported model knows.

    Attributes:
      item_ids: raw ids of its catalog, by position.
      user_count: users that training knew.
      signatures: names of its signatures.
      predicts_ratings: whether `score` gives ratings too.
    """

    item_ids: tuple[bytes, ...]
    user_count: int
    signatures: tuple[str, ...]
    predicts_ratings: bool


def wrap_for_evaluation(model_path: str, evaluation: EvaluationConfig) -> EvaluationModel:
    """Load an exported model and put an EvaluationModel around it.

    Args:
      model_path: folder of the exported model.
      evaluation: the settings to evaluate under.

    Returns:
      The EvaluationModel.

    Raises:
      UserError: the model lacks signatures that an EvaluationModel needs.
    """
    return EvaluationModel(load_model(model_path), evaluation)


def model_facts(model: EvaluationModel) -> ModelFacts:
    """Say what an exported model knows.

    Args:
      model: as wrapped for an evaluation.

    Returns:
      The facts.
    """
    catalog = model.exported.signatures["catalog"]()
    return ModelFacts(
        item_ids=tuple(catalog[features.ITEM_ID].numpy().tolist()),
        user_count=int(catalog["user_count"]),
        signatures=tuple(sorted(model.exported.signatures)),
        predicts_ratings=model.predicts_ratings,
    )


def load_model(model_path: str) -> Any:
    """Load an exported model.

    Args:
      model_path: its folder.

    Returns:
      The SavedModel; its signatures hold its tables weakly, so it must stay referenced.

    Raises:
      UserError: it lacks signatures that an EvaluationModel needs.
    """
    model = tf.saved_model.load(model_path)
    missing = [name for name in NEEDED if name not in model.signatures]
    if missing:
        raise UserError(
            f"{model_path}: expected a model with the signatures {', '.join(NEEDED)}, got one "
            f"without {', '.join(missing)}."
        )
    return model
