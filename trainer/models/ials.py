"""iALS: implicit alternating least squares.

Hu, Koren and Volinsky 2008, "Collaborative Filtering for Implicit Feedback
Datasets", with the frequency-scaled regularization of Rendle et al. 2022,
"Revisiting the Performance of iALS on Item Recommendation Benchmarks".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from schema import features
from trainer.config.baselines import IALSConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.catalog import CatalogTensors
from trainer.data.interactions import Interactions, user_table
from trainer.models.base import DataSizes, SolvedModel

# Floats gathered at a time: enough to keep the matrix products busy.
_FLOATS_AT_A_TIME = 1 << 23


class IALS(SolvedModel):
    """Score by w_u . h_i, the embeddings minimizing a weighted squared error.

    Over all users and items, it is
    sum_{(u, i) seen} (w_u . h_i - 1)^2 + a sum_{u, i} (w_u . h_i)^2
    + l2 (sum_u (n_u + a I)^e |w_u|^2 + sum_i (n_i + a U)^e |h_i|^2)

    with n the interactions of a user or item, I and U the numbers of items and
    users that have any, a = unobserved_weight and e = frequency_exponent.

    Args:
      settings: width and weights.
      num_users: user indices.
      catalog: the items.
    """

    def __init__(self, settings: IALSConfig, num_users: int, catalog: CatalogTensors) -> None:
        super().__init__(catalog)
        self._settings = settings
        self._users = self._table("user", num_users)
        self._items = self._table("item", catalog.size)
        self._solve = tf.function(solve_rows, reduce_retracing=True, autograph=False)

    @classmethod
    def from_config(cls, config: TrainerConfig, sizes: DataSizes) -> IALS:
        """See Recommender."""
        return cls(config.section(IALSConfig), sizes.num_users, CatalogTensors(sizes.catalog))

    def solve(self, histories: Interactions) -> Iterator[float]:
        """See SolvedModel; an epoch solves for all users, then for all items."""
        num_users = self._users.shape[0]
        table = user_table(histories, num_users, num_users)
        owner = np.repeat(np.arange(num_users, dtype=np.int32), np.diff(table.history_splits))
        counts = histories.counts(self.catalog.size)
        order = np.argsort(table.history, kind="stable")
        item_splits = np.concatenate([[0], np.cumsum(counts)])
        width = self._settings.embedding_dim
        by_user = _Side.of(table.history, table.history_splits, len(counts), width)
        by_item = _Side.of(owner[order], item_splits, num_users, width)
        items = self._items.numpy()
        while True:
            users, _ = self._solve_side(by_user, items, by_item.active)
            items, explained = self._solve_side(by_item, users, by_user.active)
            self._users.assign(users)
            self._items.assign(items)
            # What the items' least squares leave of the seen pairs' ones; it
            # holds all of the objective but the users' regularization.
            left = len(owner) - explained
            penalty = self._penalty(by_user, by_item.active)
            left += float(np.sum(penalty * np.square(users.astype(np.float64)).sum(axis=1)))
            yield left / len(owner)

    def tables(self) -> dict[str, Sequence[tf.Variable]]:
        """See Recommender."""
        return {features.USER_ID: [self._users], features.CATALOG: [self._items]}

    def user_embedding(self, users: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See Recommender: embeddings, float32 [B, D]."""
        return tf.gather(self._users, users[features.USER_INDEX])

    def item_embedding(self, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Recommender: embeddings, float32 [K, D]."""
        return tf.gather(self._items, positions)

    def score(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: dot products, float32 [B, K]."""
        return tf.linalg.matvec(item_embeddings, user_embeddings)

    def score_all(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: dot products, float32 [B, C]."""
        return tf.matmul(user_embeddings, item_embeddings, transpose_b=True)

    def _table(self, name: str, rows: int) -> tf.Variable:
        width = self._settings.embedding_dim
        stddev = self._settings.stddev / width**0.5
        return self.add_weight(
            name=f"{name}_embedding",
            shape=(rows, width),
            initializer=tf.keras.initializers.RandomNormal(stddev=stddev),
            trainable=False,
        )

    def _penalty(self, side: _Side, others: int) -> np.ndarray:
        weight = side.lengths + self._settings.unobserved_weight * others
        return self._settings.l2 * weight**self._settings.frequency_exponent

    def _solve_side(self, side: _Side, others: np.ndarray, active: int) -> tuple[np.ndarray, float]:
        """Solve for all rows of one side, given the other's: (float32 [R, D], sum of seen scores).

        In the basis of the eigenvectors of the Gram matrix all that a row's
        system has beside its own interactions is diagonal.
        """
        values, basis = np.linalg.eigh(others.T.astype(np.float64) @ others)
        unobserved = self._settings.unobserved_weight * np.maximum(values, 0.0)
        rotated = others @ basis.astype(np.float32)
        # The last row is what padding points at.
        table = tf.constant(np.concatenate([rotated, np.zeros_like(rotated[:1])]))
        penalty = self._penalty(side, active)
        solved = np.zeros((len(side.lengths), others.shape[1]), np.float32)
        explained = 0.0
        for rows, positions in side.batches:
            diagonal = (unobserved + penalty[rows, None]).astype(np.float32)
            dual = positions.shape[1] < others.shape[1]
            solution, scores = self._solve(table, positions, tf.constant(diagonal), dual)
            solved[rows] = solution
            explained += float(scores)
        return solved @ basis.T.astype(np.float32), explained


@dataclasses.dataclass(frozen=True)
class _Side:
    """Users with their items, or items with their users.

    Attributes:
      lengths: int64 [R], interactions a row.
      batches: of rows of similar length, (int64 [B], int32 [B, L]), what they
        interacted with, padded with the number of the other side's rows.
      active: rows that have interactions; the others' embeddings are 0.
    """

    lengths: np.ndarray
    batches: list[tuple[np.ndarray, tf.Tensor]]
    active: int

    @classmethod
    def of(cls, values: np.ndarray, splits: np.ndarray, others: int, width: int) -> _Side:
        lengths = np.diff(splits)
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        batches, end = [], len(order)
        while end:
            longest = int(lengths[order[end - 1]])
            size = max(1, _FLOATS_AT_A_TIME // (max(longest, width) * width))
            rows = order[max(end - size, 0) : end]
            padded = np.full((len(rows), longest), others, np.int32)
            within = np.arange(longest) < lengths[rows, None]
            padded[within] = np.concatenate([values[splits[r] : splits[r + 1]] for r in rows])
            batches.append((rows, tf.constant(padded)))
            end -= len(rows)
        return cls(lengths, batches, len(order))


def solve_rows(
    table: tf.Tensor, positions: tf.Tensor, diagonal: tf.Tensor, dual: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Solve (S^T S + diag) x = S^T 1 for each row, S being its rows of the table.

    By the push-through identity x = diag^-1 S^T (S diag^-1 S^T + I)^-1 1, the
    smaller system where a row has fewer interactions than the table columns.

    Args:
      table: float32 [M, D].
      positions: int32 [B, L], rows of the table.
      diagonal: float32 [B, D], positive.
      dual: whether to solve the second form, L x L, or the first, D x D.

    Returns:
      x, float32 [B, D], and the sum of all S x, a scalar.
    """
    own = tf.gather(table, positions)
    total = tf.reduce_sum(own, axis=1)
    if dual:
        scaled = own / diagonal[:, None]
        system = tf.matmul(scaled, own, transpose_b=True)
        system += tf.eye(tf.shape(system)[1])
        ones = tf.ones_like(system[:, :, :1])
        inner = tf.linalg.cholesky_solve(tf.linalg.cholesky(system), ones)
        solution = tf.linalg.matvec(scaled, inner[..., 0], transpose_a=True)
    else:
        system = tf.matmul(own, own, transpose_a=True) + tf.linalg.diag(diagonal)
        solution = tf.linalg.cholesky_solve(tf.linalg.cholesky(system), total[..., None])[..., 0]
    return solution, tf.reduce_sum(solution * total)
