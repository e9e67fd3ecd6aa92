"""Epochs of batches made of whole histories, in which every position predicts the next item.

Histories of like length share a batch, whose length is one of a few, so that
little is padding and a compiled step is compiled a few times only. What no
window of an epoch reaches is left to later epochs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from trainer.config.sequence import RANDOM, SequenceConfig
from trainer.data.batches import HISTORY, POSITIVE, ROW, parts_of, user_tensors
from trainer.data.interactions import ABSENT, Interactions

# Targets of a batch over all its parts, divided by the number of parts; float32 scalar.
TARGETS = "targets"
# Lengths that a batch may have are multiples of this.
_STRIDE = 8


@dataclasses.dataclass(frozen=True)
class _Steps:
    """Hold an epoch's batches, B histories each.

    Attributes:
      rows: int32 [steps, B], rows of the histories.
      starts: int64 [steps, B], where their windows begin among all interactions.
      counts: int32 [steps, B], items of their windows that are read; as many are predicted.
      lengths: int32 [steps], what the batches are padded to.
    """

    rows: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    lengths: np.ndarray


class SequenceData:
    """Hold the histories of one training and the batches made of them.

    The interaction behind each one that is read is its target, unless its item
    has no vocabulary row; a history with one interaction teaches nothing.

    Args:
      histories: the interactions to learn from.
      limit: items that a window reads at the most.
      settings: windows and lengths.
      seed: of shuffling and windows.

    Attributes:
      histories: as given.
      size: number of histories that have something to predict.
      examples: interactions that an epoch predicts.
    """

    def __init__(
        self, histories: Interactions, limit: int, settings: SequenceConfig, seed: int
    ) -> None:
        self.histories = histories
        # What each history can predict.
        self._targets = np.diff(histories.splits).astype(np.int64) - 1
        self._rows = np.flatnonzero(self._targets > 0).astype(np.int32)
        self._limit = limit
        self._settings = settings
        self._seed = seed
        self._counts = np.minimum(self._targets, limit).astype(np.int32)
        self.size = len(self._rows)
        self.examples = int(self._counts[self._rows].sum())
        # Interactions before each that may be predicted.
        self._learned = np.concatenate([[0], np.cumsum(histories.in_vocabulary)])
        self._positions = tf.constant(histories.positions)
        self._user_index = tf.constant(histories.user_index)
        self._context = tf.constant(histories.context)

    def lengths(self, batch_size: int) -> list[int]:
        """Choose the lengths of batches, so that an epoch computes the least.

        Args:
          batch_size: histories a batch.

        Returns:
          As many as the settings allow or fewer, the longest last.
        """
        counts = self._counts[self._rows]
        most = int(counts.max()) + _STRIDE
        choices = [min(length, self._limit) for length in range(_STRIDE, most, _STRIDE)]
        # Histories up to each length.
        below = [0, *np.searchsorted(np.sort(counts), choices, side="right").tolist()]

        def cost(first: int, last: int) -> int:
            batches = -(-(below[last + 1] - below[first]) // batch_size)
            return batches * batch_size * choices[last]

        # best[n][e]: the cost of all histories up to the length e in n + 1 lengths, e the
        # last of them, and those lengths.
        best = [{last: (cost(0, last), [choices[last]]) for last in range(len(choices))}]
        for _ in range(1, self._settings.length_buckets):
            before = best[-1]
            best.append(
                {
                    last: min(
                        (before[at][0] + cost(at + 1, last), [*before[at][1], choices[last]])
                        for at in before
                        if at < last
                    )
                    for last in range(1 + min(before), len(choices))
                }
            )
            if not best[-1]:
                best.pop()
                break
        return min(way[len(choices) - 1] for way in best)[1]

    def steps(self, batch_size: int) -> int:
        """Return the number of batches of an epoch.

        Args:
          batch_size: histories a batch.
        """
        return sum(-(-len(rows) // batch_size) for _, rows in self._buckets(batch_size))

    def epoch(
        self, epoch: int, batch_size: int, parts: Sequence[int] = (0,), of: int = 1
    ) -> tf.data.Dataset:
        """Batches of one epoch, in an order of its own, with windows of its own.

        Replicas that train together take equal parts of each batch.

        Args:
          epoch: number of the epoch.
          batch_size: histories a batch.
          parts: which parts are wanted, numbered from 0.
          of: into how many parts a batch falls; divides batch_size.

        Returns:
          A dataset of dicts, for each step one for each part, B = batch_size / of:
          the users' tensors int32 [B], ROW int32 [B], HISTORY int32 [B, L] and
          POSITIVE int32 [B, L], the item behind each of these, ABSENT where there
          is none or none to learn from; and TARGETS.
        """
        steps = self._steps(epoch, batch_size)
        per_row = (steps.rows, steps.starts, steps.counts)
        arrays = [parts_of(values, parts, of) for values in per_row]
        first, end = steps.starts + 1, steps.starts + 1 + steps.counts
        learned = (self._learned[end] - self._learned[first]).sum(axis=1)
        totals = (np.maximum(learned, 1) / of).astype(np.float32)
        arrays += [np.repeat(values, len(parts)) for values in (steps.lengths, totals)]
        elements = tf.data.Dataset.from_tensor_slices(tuple(arrays))
        return elements.map(self._batch, num_parallel_calls=1).prefetch(2 * len(parts))

    def _batch(
        self,
        rows: tf.Tensor,
        starts: tf.Tensor,
        counts: tf.Tensor,
        length: tf.Tensor,
        targets: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        users = tf.gather(self._user_index, rows)
        batch = user_tensors(users, tf.gather(self._context, rows))
        offsets = tf.range(length)[tf.newaxis]
        here = offsets < counts[:, tf.newaxis]
        at = tf.where(here, starts[:, tf.newaxis] + tf.cast(offsets, tf.int64), 0)
        following = tf.gather(self._positions, at + 1)
        learned = here & (following < self.histories.num_vocabulary)
        batch[ROW] = rows
        batch[HISTORY] = tf.where(here, tf.gather(self._positions, at), ABSENT)
        batch[POSITIVE] = tf.where(learned, following, ABSENT)
        batch[TARGETS] = targets
        return batch

    def _buckets(self, batch_size: int) -> list[tuple[int, np.ndarray]]:
        """Return each length with the rows of its histories."""
        counts, shorter, buckets = self._counts[self._rows], 0, []
        for length in self.lengths(batch_size):
            rows = self._rows[(counts > shorter) & (counts <= length)]
            shorter = length
            if len(rows):
                buckets.append((length, rows))
        return buckets

    def _steps(self, epoch: int, batch_size: int) -> _Steps:
        """Shuffle each bucket's histories, and the batches of all; draw the windows."""
        random = np.random.default_rng([self._seed, epoch])
        rows, lengths = [], []
        for length, bucket in self._buckets(batch_size):
            steps = -(-len(bucket) // batch_size)
            # The last batch is filled up, so that all have one shape.
            filled = np.resize(random.permutation(bucket), (steps, batch_size))
            rows.append(filled)
            lengths += [length] * steps
        order = random.permutation(len(lengths))
        taken = np.concatenate(rows)[order]
        counts = self._counts[taken]
        spare = self._targets[taken] - counts
        skipped = random.integers(0, spare + 1) if self._settings.windows == RANDOM else spare
        starts = self.histories.splits[taken] + skipped
        return _Steps(taken, starts, counts, np.asarray(lengths, np.int32)[order])
