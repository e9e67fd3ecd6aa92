"""Epochs of batches made of flat interaction arrays.

A batch is a dict of tensors made inside tf.data, so that drawing negatives for
the next step overlaps the present one. An interaction takes 18 bytes while
negatives are sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from schema import features
from trainer.config.trainer import UNCONSUMED
from trainer.data.interactions import ABSENT, Interactions
from trainer.data.negative_sampling import SAMPLERS, BatchShard, NegativeSampler

POSITIVE = "positive"
NEGATIVES = "negatives"
HISTORY = "history"
# Of each positive's user among the histories; the users' tensors are the same in equal rows.
ROW = "row"
# Number of the step in its training, int64 scalar from 1, where workers take
# steps at the same time; elsewhere a model counts them itself.
STEP = "step"

# Names in TrainingData.tensors.
_ROWS, _POSITIONS, _RATINGS = "rows", "positions", "ratings"
_USER_INDEX, _CONTEXT, _HISTORY, _SPLITS = "user_index", "context", "history", "splits"
_SAMPLER = "sampler"


def user_tensors(
    user_index: tf.Tensor, context: tf.Tensor, history: tf.Tensor | None = None
) -> dict[str, tf.Tensor]:
    """Return the users' side of a batch, by feature name.

    Args:
      user_index: int32 [B].
      context: int32 [B, 4], columns as schema.features.USER_CONTEXT.
      history: int32 [B, L], as `newest` gives it, for models that read it.

    Returns:
      The tensors that Recommender.user_embedding expects.
    """
    columns = tf.unstack(context, axis=1)
    users = {
        features.USER_INDEX: user_index,
        **dict(zip(features.USER_CONTEXT, columns, strict=True)),
    }
    return users if history is None else {**users, HISTORY: history}


def newest(histories: tf.RaggedTensor, limit: int) -> tf.Tensor:
    """Return the last items of histories, as models read them.

    Args:
      histories: ragged int32 [B, None], catalog positions in the order of time.
      limit: items a user, at the most.

    Returns:
      int32 [B, limit], filled up with ABSENT.
    """
    return histories[:, -limit:].to_tensor(ABSENT, shape=[None, limit])


def parts_of(batches: np.ndarray, parts: Sequence[int], of: int) -> np.ndarray:
    """Take some of the equal parts that each batch falls into.

    Args:
      batches: [steps, B].
      parts: which, numbered from 0.
      of: into how many; divides B.

    Returns:
      [steps * number of parts, B / of], a step's parts after the other's.
    """
    size = batches.shape[1] // of
    return batches.reshape(len(batches), of, size)[:, list(parts)].reshape(-1, size)


class TrainingData:
    """Hold the positives of one training and the batches made of them.

    Args:
      histories: the interactions to learn from.
      num_items: catalog size C.
      negatives: sampled negatives a positive; 0 draws none.
      seed: of shuffling and sampling.
      sampler: draws the negatives; unconsumed items when left out.
      history_limit: newest items of each user's history that a batch brings; 0
        brings none.
      ratings: whether batches bring the positives' ratings.
      by_user: whether an epoch takes users in a random order, with all positives of
        each at once; else positives.

    Attributes:
      size: number of positives.
      examples: positives and their sampled negatives.
      tensors: what batches are gathered from, possibly nested; `batch` takes a
        copy that lies on another machine.

    Raises:
      UserError: a user has consumed the whole catalog, so no negative exists.
    """

    def __init__(
        self,
        histories: Interactions,
        num_items: int,
        negatives: int,
        seed: int,
        sampler: NegativeSampler | None = None,
        history_limit: int = 0,
        ratings: bool = False,
        by_user: bool = False,
    ) -> None:
        rows = histories.rows[histories.in_vocabulary]
        self.histories = histories
        self.size = len(rows)
        self.examples = self.size * (1 + negatives)
        self._seed = seed
        self._negatives = negatives
        self._history_limit = history_limit
        self._users = rows if by_user else None
        self.tensors: dict[str, Any] = {
            _ROWS: tf.constant(rows),
            _POSITIONS: tf.constant(histories.positions[histories.in_vocabulary]),
            _USER_INDEX: tf.constant(histories.user_index),
            _CONTEXT: tf.constant(histories.context),
        }
        if history_limit:
            self.tensors[_HISTORY] = tf.constant(histories.positions)
            self.tensors[_SPLITS] = tf.constant(histories.splits)
        if ratings:
            self.tensors[_RATINGS] = tf.constant(histories.ratings[histories.in_vocabulary])
        if negatives:
            self._sampler = sampler or SAMPLERS[UNCONSUMED](histories, num_items, 0.0)
            self.tensors[_SAMPLER] = self._sampler.tensors

    def order(self, epoch: int, batch_size: int) -> np.ndarray:
        """Choose which positives each step of an epoch takes.

        The last batch is filled up from the epoch's beginning, so all batches
        have one shape.

        Args:
          epoch: number of the epoch; with the seed it fixes the order.
          batch_size: positives a batch.

        Returns:
          int64 [steps, batch_size].
        """
        steps = self.steps(batch_size)
        random = np.random.default_rng([self._seed, epoch])
        order = random.permutation(self.size)
        if self._users is not None:
            rank = random.permutation(len(self.histories.user_index))
            order = order[np.argsort(rank[self._users[order]], kind="stable")]
        return np.resize(order, steps * batch_size).reshape(steps, batch_size)

    def steps(self, batch_size: int) -> int:
        """Return the number of batches of an epoch.

        Args:
          batch_size: positives a batch.
        """
        return -(-self.size // batch_size)

    def draw_seed(self, epoch: int) -> int:
        """First half of the seeds of an epoch's draws; the other is the step's number."""
        return int(np.random.default_rng([self._seed, epoch, 1]).integers(2**31))

    def epoch(
        self, epoch: int, batch_size: int, parts: Sequence[int] = (0,), of: int = 1
    ) -> tf.data.Dataset:
        """Batches of one epoch, in an order of its own, with fresh negatives.

        Replicas that train together take equal parts of each batch. The parts
        of a batch make up what the whole one would be, negatives included.

        Args:
          epoch: number of the epoch.
          batch_size: positives a batch.
          parts: which parts are wanted, numbered from 0.
          of: into how many parts a batch falls; divides batch_size.

        Returns:
          A dataset of dicts, for each step one for each part, B = batch_size /
          of: the users' tensors int32 [B], ROW and POSITIVE int32 [B] and,
          with negatives, NEGATIVES int32 [B, n]; with a history limit, HISTORY int32
          [B, limit], where the positive itself is ABSENT; with ratings,
          schema.features.RATING float32 [B].
        """
        order = self.order(epoch, batch_size)
        taken = parts_of(order, parts, of)
        steps = np.repeat(np.arange(len(order)), len(parts))
        starts = np.tile(np.asarray(parts) * taken.shape[1], len(order))
        base = self.draw_seed(epoch)

        def batch(step: tf.Tensor, start: tf.Tensor, chosen: tf.Tensor) -> dict[str, tf.Tensor]:
            part = None if of == 1 else BatchShard(start, batch_size)
            seed = tf.stack([tf.constant(base, tf.int64), step])
            return self.batch(chosen, seed, part)

        numbered = tf.data.Dataset.from_tensor_slices((steps, starts, taken))
        return numbered.map(batch, num_parallel_calls=1).prefetch(2 * len(parts))

    def batch(
        self,
        chosen: tf.Tensor,
        seed: tf.Tensor,
        part: BatchShard | None = None,
        tensors: dict[str, Any] | None = None,
    ) -> dict[str, tf.Tensor]:
        """Return the batch of some positives.

        Args:
          chosen: int64 [B], as `order` names them.
          seed: int64 [2], of the negatives of the whole batch.
          part: where these stand in it; None for all of it.
          tensors: stand in for the attribute, on another machine.

        Returns:
          As an element of `epoch`.
        """
        tensors = tensors or self.tensors
        rows = tf.gather(tensors[_ROWS], chosen)
        users, context = (tf.gather(tensors[name], rows) for name in (_USER_INDEX, _CONTEXT))
        batch = user_tensors(users, context)
        batch[ROW] = rows
        batch[POSITIVE] = tf.gather(tensors[_POSITIONS], chosen)
        if _RATINGS in tensors:
            batch[features.RATING] = tf.gather(tensors[_RATINGS], chosen)
        if self._negatives:
            negatives = self._sampler(
                rows, batch[POSITIVE], self._negatives, seed, part, tensors[_SAMPLER]
            )
            batch[NEGATIVES] = tf.ensure_shape(negatives, [chosen.shape[0], self._negatives])
        if self._history_limit:
            batch[HISTORY] = self._other_items(rows, batch[POSITIVE], tensors)
        return batch

    def _other_items(
        self, rows: tf.Tensor, positives: tf.Tensor, tensors: dict[str, Any]
    ) -> tf.Tensor:
        """Return the newest items of each row, without the positive that is to be predicted."""
        start, end = (tf.gather(tensors[_SPLITS], at)[:, None] for at in (rows, rows + 1))
        at = end - self._history_limit + tf.range(self._history_limit, dtype=tf.int64)
        items = tf.gather(tensors[_HISTORY], tf.maximum(at, 0))
        kept = (at >= start) & (items != positives[:, None])
        return tf.where(kept, items, ABSENT)
