"""HR@k and NDCG@k of the valid split while a model trains.

Candidates, ranks and metrics are those of the Evaluator (trainer.ops). The
negatives of a sampled protocol are drawn once, so that an epoch scores only them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from trainer.config.evaluation import SAMPLED, EvaluationConfig
from trainer.data.batches import newest, user_tensors
from trainer.data.catalog import Catalog
from trainer.data.interactions import ABSENT, Interactions
from trainer.models.base import Recommender
from trainer.ops import candidates, draws, rank_metrics
from trainer.ops.candidates import CatalogWeights, HeldOutBatch
from trainer.ops.ranks import TargetRanks, row_weights
from trainer.ops.tie_groups import AVERAGE, tie_groups

# Users that are encoded and ranked at a time.
_ROWS_AT_A_TIME = 512


class EncodedUsers:
    """Hold the users of a split, encoded some at a time.

    Args:
      model: the model in training.
      histories: the split.

    Attributes:
      history: int32 ragged [R, None], catalog positions of each user's interactions.
    """

    def __init__(self, model: Recommender, histories: Interactions) -> None:
        self._model = model
        self._size = len(histories.user_index)
        self._user_index = tf.constant(histories.user_index)
        self._context = tf.constant(histories.context)
        self.history = tf.RaggedTensor.from_row_splits(
            tf.constant(histories.positions), tf.constant(histories.splits)
        )

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Yield the first row of each chunk, and the row after its last."""
        for start in range(0, self._size, _ROWS_AT_A_TIME):
            yield start, min(start + _ROWS_AT_A_TIME, self._size)

    def encoded(self, start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        """Encode users as the model stands.

        Args:
          start: the first row, a scalar.
          end: the row after the last.

        Returns:
          Their embeddings.
        """
        limit = self._model.history_limit
        history = newest(self.history[start:end], limit) if limit else None
        return self._model.user_embedding(
            user_tensors(self._user_index[start:end], self._context[start:end], history)
        )


class _Chunk(NamedTuple):
    """Rows start .. end - 1 of the split.

    Attributes:
      start: int32 scalar.
      end: int32 scalar.
      rows: the rows; their `seen` is ragged, and empty where nobody asks for it.
      drawn: int32 [B, N], the negatives; of a sampled protocol.
    """

    start: tf.Tensor
    end: tf.Tensor
    rows: HeldOutBatch
    drawn: tf.Tensor


class RankValidator:
    """Rank the validation targets with the model as it stands, as the Evaluator would.

    Equal scores stand in every order alike (ties: average).

    Args:
      model: the model in training.
      histories: the valid split.
      catalog: the candidate items, with the counts that popularity draws go by.
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
        self._protocol = evaluation.protocols[which]
        self._all = tf.range(catalog.size)
        self._users = EncodedUsers(model, histories)
        self._counts = np.diff(histories.target_splits)
        self._chunks = list(self._prepared(histories, catalog, evaluation.seed))
        self._rank = tf.function(self._ranked, reduce_retracing=True, autograph=False)

    def __call__(self) -> dict[str, float]:
        """Measure the model.

        Returns:
          "hr" and "ndcg" at the evaluation's k, means over the rows with targets.
        """
        embeddings = self._model.item_embedding(self._all)
        parts = [self._rank(embeddings, chunk) for chunk in self._chunks]
        greater, ties, others, weights = (
            tf.concat(column, axis=0).numpy() for column in zip(*parts, strict=True)
        )
        counted = self._counts > 0
        groups = tie_groups(
            greater.astype(np.int64),
            ties.astype(np.int64),
            self._counts[counted],
            (others + self._counts)[counted],
            AVERAGE,
        )
        weights = weights[counted].astype(np.float64)
        return {
            "hr": _mean(rank_metrics.hit_rate(groups, self._k), weights),
            "ndcg": _mean(rank_metrics.ndcg(groups, self._k), weights),
        }

    def _prepared(self, histories: Interactions, catalog: Catalog, seed: int) -> Iterator[_Chunk]:
        """Return what no epoch changes: the rows, and the negatives drawn for them."""
        users = draws.fingerprint(tf.constant(histories.user_id.tolist(), tf.string))
        targets = tf.RaggedTensor.from_row_splits(
            tf.constant(histories.targets), tf.constant(histories.target_splits)
        )
        items = CatalogWeights.of(catalog.item_ids.tolist(), catalog.counts)
        draw = tf.function(
            lambda rows: candidates.negatives(rows, items, self._protocol, seed),
            reduce_retracing=True,
            autograph=False,
        )
        # Drawing looks at every pair of a user and an item.
        step = max(1, draws.PAIRS_AT_A_TIME // catalog.size)
        for start, end in self._users.chunks():
            held = targets[start:end]
            rows = candidates.held_out_batch(
                users[start:end],
                self._users.history[start:end],
                held,
                # The valid split brings no candidates of its own.
                held[:, :0],
                candidates.most_targets(held),
            )
            seen, drawn = rows.seen, rows.targets[:, :0]
            if self._protocol.candidates == SAMPLED:
                parts = [
                    draw(HeldOutBatch(*(part[first : first + step] for part in rows)))
                    for first in range(0, end - start, step)
                ]
                seen, drawn = seen[:, :0], tf.concat(parts, axis=0)
            elif not self._protocol.mask_seen:
                seen = seen[:, :0]
            # The longest history would decide how much memory all others take.
            rows = rows._replace(seen=tf.ragged.boolean_mask(seen, seen >= 0))
            yield _Chunk(tf.constant(start), tf.constant(end), rows, drawn)

    def _ranked(self, embeddings: tf.Tensor, chunk: _Chunk) -> list[tf.Tensor]:
        """Greater and ties of each target; candidates and weight of each row."""
        sampled = self._protocol.candidates == SAMPLED
        rows, scores, drawn = (self._sampled if sampled else self._full)(embeddings, chunk)
        ranks, others = TargetRanks(rows, scores).ranks(self._protocol, drawn)
        of_targets = [tf.boolean_mask(part, rows.present) for part in ranks]
        return [*of_targets, others, row_weights(self._protocol, others)]

    def _sampled(
        self, embeddings: tf.Tensor, chunk: _Chunk
    ) -> tuple[HeldOutBatch, tf.Tensor, tf.Tensor]:
        """Return the targets' scores in the first columns, the negatives' in those after them."""
        items = tf.concat([chunk.rows.targets, chunk.drawn], axis=1)
        columns = tf.where(items < 0, ABSENT, tf.range(tf.shape(items)[1]))
        users = self._users.encoded(chunk.start, chunk.end)
        scores = self._model.score(users, tf.gather(embeddings, tf.maximum(items, 0)))
        split = tf.shape(chunk.rows.targets)[1]
        # Positions are columns here.
        rows = chunk.rows._replace(targets=columns[:, :split], seen=columns[:, :0])
        return rows, scores, columns[:, split:]

    def _full(self, embeddings: tf.Tensor, chunk: _Chunk) -> tuple[HeldOutBatch, tf.Tensor, None]:
        """Every item's score in the column of its position."""
        scores = self._model.score_all(self._users.encoded(chunk.start, chunk.end), embeddings)
        return chunk.rows._replace(seen=chunk.rows.seen.to_tensor(ABSENT)), scores, None


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean over the rows that count; NaN where none does."""
    total = weights.sum()
    return float((values * weights).sum() / total) if total > 0 else float("nan")
