"""What measures a model on the valid split after each epoch: its ranking, its ratings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from schema.errors import UserError
from trainer.config.evaluation import EvaluationConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.catalog import Catalog
from trainer.data.interactions import ABSENT, Interactions
from trainer.models.base import Recommender
from trainer.training.rank_validation import EncodedUsers, RankValidator

_LOWER_IS_BETTER = ("rmse",)

# Measures a model as it stands: metrics by name.
Validate = Callable[[], dict[str, float]]


def make_validator(
    config: TrainerConfig,
    model: Recommender,
    histories: Interactions,
    catalog: Catalog,
    evaluation: EvaluationConfig,
) -> Validate:
    """Make what measures the configured model: its ranking, its ratings, or both.

    A rating model is chosen by its ratings alone: ranking whole catalogs every
    epoch would cost more than its training.

    Args:
      config: model and validation protocol.
      model: the model in training.
      histories: the valid split.
      catalog: the candidate items, with the counts that the model knows.
      evaluation: cut-off, protocols and seed.

    Returns:
      A function of no arguments; `TrainerConfig.criterion` is among its metrics.
    """
    parts: list[Validate] = []
    if config.criterion == "ndcg":
        parts.append(
            RankValidator(model, histories, catalog, evaluation, config.validation_protocol)
        )
    if config.predicts_ratings:
        parts.append(RatingValidator(model, histories))
    return lambda: {name: value for part in parts for name, value in part().items()}


def is_better(metrics: Mapping[str, float], best: Mapping[str, float], criterion: str) -> bool:
    """Return whether an epoch is better than the best before it.

    Args:
      metrics: of the epoch.
      best: of the best one before.
      criterion: name of the metric that decides; of an error the lower is better.

    Returns:
      True when it is; equal is not better.
    """
    if criterion in _LOWER_IS_BETTER:
        return metrics[criterion] < best[criterion]
    return metrics[criterion] > best[criterion]


class RatingValidator:
    """Compare predicted with given ratings of the validation targets.

    Args:
      model: the model in training, one that `predicts_ratings`.
      histories: the valid split, with ratings.

    Raises:
      UserError: no target has a rating.
    """

    def __init__(self, model: Recommender, histories: Interactions) -> None:
        rated = (histories.targets != ABSENT) & np.isfinite(histories.target_ratings)
        if not rated.any():
            raise UserError("The valid split has no rated targets; expected at least one.")
        self._model = model
        self._users = EncodedUsers(model, histories)
        # Row and target of each rating, by row.
        self._pairs = np.stack([histories.target_rows, histories.targets], axis=1)[rated]
        self._rating = histories.target_ratings[rated]
        self._predict = tf.function(self._ratings, reduce_retracing=True, autograph=False)

    def __call__(self) -> dict[str, float]:
        """Measure the model.

        Returns:
          "rmse" and "mae" over the targets.
        """
        parts = []
        for start, end in self._users.chunks():
            first, last = np.searchsorted(self._pairs[:, 0], [start, end])
            if first < last:
                pairs = tf.constant(self._pairs[first:last])
                parts.append(self._predict(tf.constant(start), tf.constant(end), pairs).numpy())
        errors = (np.concatenate(parts) - self._rating).astype(np.float64)
        return {
            "rmse": float(np.sqrt(np.mean(errors**2))),
            "mae": float(np.mean(np.abs(errors))),
        }

    def _ratings(self, start: tf.Tensor, end: tf.Tensor, pairs: tf.Tensor) -> tf.Tensor:
        rows, targets = tf.unstack(pairs, axis=1)
        users = tf.gather(self._users.encoded(start, end), rows - start)
        return self._model.predict_ratings(users, self._model.item_embedding(targets))
