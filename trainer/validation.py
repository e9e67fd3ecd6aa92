"""HR@k and NDCG@k, RMSE and MAE on the valid split after each epoch.

Called by trainer.run. Ranks are counted as in trainer.ranking. Under the
sampled protocol the negatives are drawn once, with replacement, so an epoch
scores only them; the Evaluator's are drawn as trainer.candidates says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from schema.errors import UserError
from trainer import ranking
from trainer.catalog import Catalog
from trainer.config import TrainerConfig
from trainer.evaluation_config import SAMPLED, EvaluationConfig
from trainer.histories import ABSENT, Histories
from trainer.input import newest, user_tensors
from trainer.models.base import Recommender
from trainer.negatives import NegativeSampler

_USERS_AT_A_TIME = 512
_LOWER_IS_BETTER = ("rmse",)

# Measures a model as it stands: metrics by name.
Validate = Callable[[], dict[str, float]]


def make_validator(
    config: TrainerConfig,
    model: Recommender,
    histories: Histories,
    catalog: Catalog,
    evaluation: EvaluationConfig,
) -> Validate:
    """What measures the configured model: its ranking, its ratings, or both.

    A rating model is chosen by its ratings alone: ranking whole catalogs every
    epoch would cost more than its training.

    Args:
      config: model and validation protocol.
      model: the model in training.
      histories: the valid split.
      catalog: the candidate items.
      evaluation: cut-off, protocols and seed.

    Returns:
      A function of no arguments; `TrainerConfig.criterion` is among its metrics.
    """
    parts: list[Validate] = []
    if config.criterion == "ndcg":
        parts.append(Validator(model, histories, catalog, evaluation, config.validation_protocol))
    if config.predicts_ratings:
        parts.append(RatingValidator(model, histories))
    return lambda: {name: value for part in parts for name, value in part().items()}


def is_better(metrics: Mapping[str, float], best: Mapping[str, float], criterion: str) -> bool:
    """Whether an epoch is better than the best before it.

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
    """Compares predicted with given ratings of the validation targets.

    Args:
      model: the model in training, one that `rates`.
      histories: the valid split, with ratings.

    Raises:
      UserError: no target has a rating.
    """

    def __init__(self, model: Recommender, histories: Histories) -> None:
        rated = (histories.target != ABSENT) & np.isfinite(histories.target_rating)
        if not rated.any():
            raise UserError("The valid split has no rated targets; expected at least one.")
        self._model = model
        self._user_index = tf.constant(histories.user_index[rated])
        self._context = tf.constant(histories.context[rated])
        self._limit = model.history_limit
        self._history = tf.gather(_ragged(histories), np.flatnonzero(rated))
        self._target = tf.constant(histories.target[rated])
        self._rating = tf.constant(histories.target_rating[rated])
        self._predict = tf.function(self._ratings)

    def __call__(self) -> dict[str, float]:
        """Measures the model.

        Returns:
          "rmse" and "mae" over the targets.
        """
        errors = (self._predict() - self._rating).numpy().astype(np.float64)
        return {
            "rmse": float(np.sqrt(np.mean(errors**2))),
            "mae": float(np.mean(np.abs(errors))),
        }

    def _ratings(self) -> tf.Tensor:
        history = newest(self._history, self._limit) if self._limit else None
        users = self._model.encode_users(user_tensors(self._user_index, self._context, history))
        return self._model.rate(users, self._model.encode_items(self._target))


class Validator:
    """Ranks every user's validation target with the model as it stands.

    Args:
      model: the model in training.
      histories: the valid split.
      catalog: the candidate items.
      evaluation: cut-off, protocols and seed.
      which: name of one of its protocols.
    """

    def __init__(
        self,
        model: Recommender,
        histories: Histories,
        catalog: Catalog,
        evaluation: EvaluationConfig,
        which: str,
    ) -> None:
        self._model = model
        self._k = evaluation.k
        protocol = evaluation.protocols[which]
        self._all = tf.range(catalog.size)
        self._user_index = tf.constant(histories.user_index)
        self._context = tf.constant(histories.context)
        self._target = tf.constant(histories.target)
        self._history = _ragged(histories)
        if protocol.candidates == SAMPLED:
            sampler = NegativeSampler(histories.with_targets(catalog), catalog.size)
            rows = tf.range(len(histories.user_index))
            seed = tf.constant([evaluation.seed, 0], tf.int64)
            self._negatives = sampler(rows, protocol.negatives, seed)
        count = self._sampled if protocol.candidates == SAMPLED else self._full
        self._count = tf.function(count, reduce_retracing=True)

    def __call__(self) -> dict[str, float]:
        """Measures the model.

        Returns:
          "hr" and "ndcg" at the evaluation's k, means over the users.
        """
        codes = self._model.encode_items(self._all)
        size = len(self._user_index)
        parts = [
            self._count(codes, tf.constant(start), tf.constant(min(start + _USERS_AT_A_TIME, size)))
            for start in range(0, size, _USERS_AT_A_TIME)
        ]
        greater, ties = (tf.concat(column, axis=0) for column in zip(*parts, strict=True))
        return {
            "hr": float(tf.reduce_mean(ranking.hit_rate(greater, ties, self._k))),
            "ndcg": float(tf.reduce_mean(ranking.ndcg(greater, ties, self._k))),
        }

    def _users(self, start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        limit = self._model.history_limit
        history = newest(self._history[start:end], limit) if limit else None
        return self._model.encode_users(
            user_tensors(self._user_index[start:end], self._context[start:end], history)
        )

    def _sampled(self, codes: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> ranking.Ranks:
        items = tf.concat([self._target[start:end, None], self._negatives[start:end]], axis=1)
        scores = self._model.score(self._users(start, end), tf.gather(codes, items))
        first = tf.zeros([end - start], tf.int32)
        others = tf.concat(
            [tf.zeros_like(items[:, :1], tf.bool), tf.ones_like(items[:, 1:], tf.bool)], axis=1
        )
        return ranking.compare(scores, first, others)

    def _full(self, codes: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> ranking.Ranks:
        target = self._target[start:end]
        unseen = ranking.unseen(self._history[start:end], target, tf.size(self._all))
        return ranking.compare(
            self._model.score_all(self._users(start, end), codes), target, unseen
        )


def _ragged(histories: Histories) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_splits(
        tf.constant(histories.positions), tf.constant(histories.splits)
    )
