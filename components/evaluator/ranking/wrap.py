"""Puts a judge around an exported model, so that it can be evaluated under any protocol."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from components.evaluator.ranking.evaluation_model import EvaluationModel
from schema import atomic_write, features
from schema.errors import UserError
from trainer.config.evaluation import EvaluationConfig

# Signatures of the exported model that a judge calls, and those that it has.
NEEDED = ("scores", "catalog", "known_users", "score")
SIGNATURES = ("rank", "user_slices", "target_slices")


@dataclasses.dataclass(frozen=True)
class ModelFacts:
    """What an exported model knows.

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


def wrap(model_path: str, evaluation: EvaluationConfig, output_path: str) -> ModelFacts:
    """Writes a judge of an exported model as a SavedModel, whole or not at all.

    Args:
      model_path: folder of the exported model.
      evaluation: the settings to judge under.
      output_path: folder to write; replaced when it exists.

    Returns:
      What the exported model knows.

    Raises:
      UserError: the model lacks signatures that a judge needs.
    """
    model = _load(model_path)
    judge = EvaluationModel(model, evaluation)
    signatures = {name: getattr(judge, name) for name in SIGNATURES}
    with atomic_write.folder(output_path) as unfinished:
        tf.saved_model.save(judge, unfinished, signatures=signatures)
    catalog = model.signatures["catalog"]()
    return ModelFacts(
        item_ids=tuple(catalog[features.ITEM_ID].numpy().tolist()),
        user_count=int(catalog["user_count"]),
        signatures=tuple(sorted(model.signatures)),
        predicts_ratings=judge.predicts_ratings,
    )


def _load(model_path: str) -> Any:
    model = tf.saved_model.load(model_path)
    missing = [name for name in NEEDED if name not in model.signatures]
    if missing:
        raise UserError(
            f"{model_path}: expected a model with the signatures {', '.join(NEEDED)}, got one "
            f"without {', '.join(missing)}."
        )
    return model
