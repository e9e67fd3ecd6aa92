"""HR@k and NDCG@k, RMSE and MAE on the valid split after each epoch.

Ranks are counted as in trainer.training.ranking. Under the sampled protocol the
negatives are drawn once, uniformly with replacement whatever the protocol says
of draws, so an epoch scores only them; the Evaluator's are drawn as
trainer.ops.candidates says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from schema.errors import UserError
from trainer.config.evaluation import SAMPLED, EvaluationConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.batches import newest, user_tensors
from trainer.data.catalog import Catalog
from trainer.data.interactions import ABSENT, Interactions
from trainer.data.negative_sampling import UnseenSampler
from trainer.models.base import Recommender
from trainer.ops.draws import marked
from trainer.training import ranking

# Users encoded, and targets compared, at a time.
_ROWS_AT_A_TIME = 512
_LOWER_IS_BETTER = ("rmse",)

# Measures a model as it stands: metrics by name.
Validate = Callable[[], dict[str, float]]
# Scores of some users, float32 [B, W]; which are those of candidates, bool [B, W];
# and the columns of their targets, int32 ragged [B, None].
_Scored = tuple[tf.Tensor, tf.Tensor, tf.RaggedTensor]


def make_validator(
    config: TrainerConfig,
    model: Recommender,
    histories: Interactions,
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
        self._users = _Users(model, histories)
        # Row and target of each rating, by row.
        self._pairs = np.stack([histories.target_rows, histories.targets], axis=1)[rated]
        self._rating = histories.target_ratings[rated]
        self._predict = tf.function(self._ratings, reduce_retracing=True)

    def __call__(self) -> dict[str, float]:
        """Measures the model.

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


class Validator:
    """Ranks every validation target with the model as it stands.

    The other targets of a row are no candidates, so each target is ranked as if
    it were the only one. A user is scored once, for all targets.

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
        histories: Interactions,
        catalog: Catalog,
        evaluation: EvaluationConfig,
        which: str,
    ) -> None:
        self._model = model
        self._k = evaluation.k
        protocol = evaluation.protocols[which]
        self._all = tf.range(catalog.size)
        self._users = _Users(model, histories)
        self._targets = tf.RaggedTensor.from_row_splits(
            tf.constant(histories.targets), tf.constant(histories.target_splits)
        )
        self._target_splits = histories.target_splits
        self._mask_seen = protocol.mask_seen
        if protocol.candidates == SAMPLED:
            sampler = UnseenSampler(histories.with_targets(), catalog.size)
            rows = tf.range(len(histories.user_index))
            seed = tf.constant([evaluation.seed, 0], tf.int64)
            self._negatives = sampler(rows, rows, protocol.negatives, seed)
        score = self._sampled if protocol.candidates == SAMPLED else self._full
        self._score = tf.function(score, reduce_retracing=True)
        self._compare = tf.function(_compare, reduce_retracing=True)

    def __call__(self) -> dict[str, float]:
        """Measures the model.

        Returns:
          "hr" and "ndcg" at the evaluation's k, means over the targets.
        """
        embeddings = self._model.item_embedding(self._all)
        parts = []
        for start, end in self._users.chunks():
            scored = self._score(embeddings, tf.constant(start), tf.constant(end))
            count = self._target_splits[end] - self._target_splits[start]
            for first in range(0, count, _ROWS_AT_A_TIME):
                last = min(first + _ROWS_AT_A_TIME, count)
                parts.append(self._compare(*scored, tf.constant(first), tf.constant(last)))
        greater, ties = (tf.concat(column, axis=0) for column in zip(*parts, strict=True))
        return {
            "hr": float(tf.reduce_mean(ranking.hit_rate(greater, ties, self._k))),
            "ndcg": float(tf.reduce_mean(ranking.ndcg(greater, ties, self._k))),
        }

    def _sampled(self, embeddings: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> _Scored:
        """The targets in the first columns, up to as many as the chunk's longest row has."""
        targets, negatives = self._targets[start:end], self._negatives[start:end]
        columns = tf.cast(tf.ragged.range(targets.row_lengths()).values, tf.int32)
        columns = tf.where(targets.values == ABSENT, ABSENT, columns)
        padded = targets.to_tensor(ABSENT)
        items = tf.concat([tf.maximum(padded, 0), negatives], axis=1)
        scores = self._model.score(self._users.encoded(start, end), tf.gather(embeddings, items))
        candidates = tf.concat(
            [tf.zeros_like(padded, tf.bool), tf.ones_like(negatives, tf.bool)], axis=1
        )
        return scores, candidates, targets.with_values(columns)

    def _full(self, embeddings: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> _Scored:
        """Every item in the column of its position."""
        targets = self._targets[start:end]
        history = self._users.history[start:end] if self._mask_seen else targets
        left_out = tf.concat([history, targets], axis=1)
        scores = self._model.score_all(self._users.encoded(start, end), embeddings)
        return scores, ~marked(left_out, tf.size(self._all)), targets


class _Users:
    """The users of a split, encoded some at a time."""

    def __init__(self, model: Recommender, histories: Interactions) -> None:
        self._model = model
        self._size = len(histories.user_index)
        self._user_index = tf.constant(histories.user_index)
        self._context = tf.constant(histories.context)
        self.history = tf.RaggedTensor.from_row_splits(
            tf.constant(histories.positions), tf.constant(histories.splits)
        )

    def chunks(self) -> Iterator[tuple[int, int]]:
        """First row of each chunk, and the row after its last."""
        for start in range(0, self._size, _ROWS_AT_A_TIME):
            yield start, min(start + _ROWS_AT_A_TIME, self._size)

    def encoded(self, start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        """Codes of the rows start .. end - 1."""
        limit = self._model.history_limit
        history = newest(self.history[start:end], limit) if limit else None
        return self._model.user_embedding(
            user_tensors(self._user_index[start:end], self._context[start:end], history)
        )


def _compare(
    scores: tf.Tensor,
    candidates: tf.Tensor,
    columns: tf.RaggedTensor,
    first: tf.Tensor,
    last: tf.Tensor,
) -> ranking.Ranks:
    """Ranks the targets first .. last - 1 of some users."""
    rows = columns.value_rowids()[first:last]
    return ranking.compare(
        tf.gather(scores, rows), columns.values[first:last], tf.gather(candidates, rows)
    )
