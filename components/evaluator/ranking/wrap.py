"""Wraps an exported model in an EvaluationModel, so that any protocol can be applied to it."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from components.evaluator.keys import RANK, TARGET_SLICES, USER_SLICES
from components.evaluator.ranking.evaluation_model import EvaluationModel
from schema import atomic_write, features
from schema.errors import UserError
from trainer.config.evaluation import EvaluationConfig

# Signatures of the exported model that an EvaluationModel calls, and those that it has.
NEEDED = ("scores", "catalog", "known_users", "score")
SIGNATURES = (RANK, USER_SLICES, TARGET_SLICES)


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


def wrap_for_evaluation(
    model_path: str, evaluation: EvaluationConfig, output_path: str
) -> ModelFacts:
    """Write an exported model's EvaluationModel as a SavedModel, whole or not at all.

    Args:
      model_path: folder of the exported model.
      evaluation: the settings to evaluate under.
      output_path: folder to write; replaced when it exists.

    Returns:
      What the exported model knows.

    Raises:
      UserError: the model lacks signatures that an EvaluationModel needs.
    """
    model = load_model(model_path)
    wrapped = EvaluationModel(model, evaluation)
    signatures = {name: getattr(wrapped, name) for name in SIGNATURES}
    with atomic_write.folder(output_path) as unfinished:
        tf.saved_model.save(wrapped, unfinished, signatures=signatures)
    catalog = model.signatures["catalog"]()
    return ModelFacts(
        item_ids=tuple(catalog[features.ITEM_ID].numpy().tolist()),
        user_count=int(catalog["user_count"]),
        signatures=tuple(sorted(model.signatures)),
        predicts_ratings=wrapped.predicts_ratings,
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
