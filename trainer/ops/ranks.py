"""Where the targets of held-out rows stand among their candidates.

Pure TensorFlow functions. A rank is two counts, the items of the list scored
better and those scored equal, so that any tie rule can be applied afterwards. A
list is counted rather than masked: the catalog is compared once for all
protocols that rank all of it, and what does not belong to the list is
subtracted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from trainer.config.evaluation import ProtocolConfig
from trainer.ops import long_rows
from trainer.ops.candidates import HeldOutBatch

# As many targets a row are compared one after the other in the time that
# sorting the scores takes.
_COMPARED = 64


class RankCounts(NamedTuple):
    """Hold how some values compare with each target's score; int32 [B, T] each.

    Attributes:
      below: values that are less or equal, so certainly not better.
      equal: values that are equal.
    """

    below: tf.Tensor
    equal: tf.Tensor

    def less(self, other: RankCounts) -> RankCounts:
        """Return the counts without those values that `other` counted."""
        return RankCounts(self.below - other.below, self.equal - other.equal)


class Ranks(NamedTuple):
    """Hold the targets' ranks; int32 [B, T] each, -1 past a row's last target.

    Attributes:
      greater: items of the list scored better than the target.
      ties: items of the list scored equal, the target itself left out.
    """

    greater: tf.Tensor
    ties: tf.Tensor


def value_at(values: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """Gather values of items.

    Args:
      values: float32 [B, C] or, the same for all rows, [C].
      positions: int32 [B, N], -1 for none.

    Returns:
      float32 [B, N], NaN for none.
    """
    found = tf.gather(values, tf.maximum(positions, 0), batch_dims=values.shape.rank - 1)
    return tf.where(positions < 0, float("nan"), found)


def count(values: tf.Tensor, own: tf.Tensor) -> RankCounts:
    """Compare values with the targets' scores, one target after the other.

    Args:
      values: float32 [B, N] or, the same for all rows, [1, N]; NaN is neither
        less nor equal.
      own: float32 [B, T], the targets' scores; nothing is less or equal to NaN.

    Returns:
      RankCounts of [B, T].
    """

    def one(score: tf.Tensor) -> list[tf.Tensor]:
        score = score[:, tf.newaxis]
        return [number(values <= score)[:, 0], number(tf.equal(values, score))[:, 0]]

    return _one_by_one(one, own)


def count_catalog(scores: tf.Tensor, own: tf.Tensor) -> RankCounts:
    """Compare the scores of all items with the targets'; see `count`.

    A few targets are compared with each score; many are looked up in the sorted
    scores, so that the work hardly grows with them.
    """

    def one(score: tf.Tensor) -> list[tf.Tensor]:
        return list(long_rows.count_up_to(scores, score))

    def by_sorting() -> RankCounts:
        nothing = tf.math.is_nan(scores)
        values_there = tf.shape(scores)[1] - number(nothing)
        ordered = tf.sort(tf.where(nothing, float("inf"), scores), axis=1)
        ordered = tf.broadcast_to(ordered, [tf.shape(own)[0], tf.shape(scores)[1]])
        sides = [tf.searchsorted(ordered, own, side=side) for side in ("right", "left")]
        right, left = (tf.minimum(side, values_there) for side in sides)
        return _counts(right, left, own)

    def by_comparing() -> RankCounts:
        return tf.cond(
            tf.shape(scores)[1] >= long_rows.LONG,
            lambda: _one_by_one(one, own),
            lambda: count(scores, own),
        )

    found = tf.cond(tf.shape(own)[1] > _COMPARED, by_sorting, by_comparing)
    return RankCounts(*(tf.reshape(part, tf.shape(own)) for part in found))


def _one_by_one(one: Callable[[tf.Tensor], list[tf.Tensor]], own: tf.Tensor) -> RankCounts:
    """Count for each column of the targets' scores, [B, T]."""
    columns = tf.map_fn(one, tf.transpose(own), fn_output_signature=[tf.int32, tf.int32])
    return RankCounts(*(tf.reshape(tf.transpose(column), tf.shape(own)) for column in columns))


def count_ordered(ordered: tf.Tensor, own: tf.Tensor) -> RankCounts:
    """Compare values that are the same for all rows with the targets' scores.

    Args:
      ordered: float32 [N], ascending, without NaN.
      own: float32 [B, T], the targets' scores; nothing is less or equal to NaN.

    Returns:
      RankCounts of [B, T].
    """
    flat = tf.reshape(own, [-1])
    sides = (tf.searchsorted(ordered, flat, side=side) for side in ("right", "left"))
    right, left = (tf.reshape(side, tf.shape(own)) for side in sides)
    return _counts(right, left, own)


def _counts(right: tf.Tensor, left: tf.Tensor, own: tf.Tensor) -> RankCounts:
    """Count by the right and left places of targets' scores among ordered values; none at NaN."""
    known = tf.cast(~tf.math.is_nan(own), tf.int32)
    return RankCounts(right * known, (right - left) * known)


class TargetRanks:
    """Rank the targets of B rows by the scores of one ranking.

    A list holds candidates and all of a row's targets. A target without a
    score, because the catalog lacks it or the model gives NaN, stands last,
    behind all candidates; a candidate's NaN counts as better.

    Args:
      rows: B rows.
      scores: float32 [B, C] or, the same for all rows, [C].
      ordered: the scores in ascending order, where they are the same for all rows and
        no NaN: with them the catalog need not be compared.
    """

    def __init__(
        self, rows: HeldOutBatch, scores: tf.Tensor, ordered: tf.Tensor | None = None
    ) -> None:
        self._rows = rows
        self._scores = scores
        self._own = value_at(scores, rows.targets)
        self._targets = count(self._own, self._own)
        if ordered is not None:
            self._all = count_ordered(ordered, self._own)
        else:
            whole = scores if scores.shape.rank == 2 else scores[tf.newaxis]
            self._all = count_catalog(whole, self._own)
        self._seen = count(value_at(scores, rows.seen), self._own)

    def ranks(self, protocol: ProtocolConfig, drawn: tf.Tensor | None) -> tuple[Ranks, tf.Tensor]:
        """Rank the targets.

        Args:
          protocol: which candidates.
          drawn: int32 [B, N], what `negatives` gave, of a sampled protocol.

        Returns:
          The ranks, and int32 [B], how many candidates stand beside the targets.
        """
        rows = self._rows
        if drawn is not None:
            candidates = count(value_at(self._scores, drawn), self._own)
            others = number(drawn >= 0)
        else:
            candidates = self._all.less(self._targets)
            others = tf.shape(self._scores)[-1] - number(rows.targets >= 0)
            if protocol.mask_seen:
                candidates = candidates.less(self._seen)
                others -= number(rows.seen >= 0)
        scored = ~tf.math.is_nan(self._own)
        targets = number(scored)
        greater = others - candidates.below + targets - self._targets.below
        ties = candidates.equal + self._targets.equal - 1
        greater = tf.where(scored, greater, others + targets)
        ties = tf.where(scored, ties, number(rows.present) - targets - 1)
        greater, ties = (tf.where(rows.present, part, -1) for part in (greater, ties))
        return Ranks(greater, ties), others[:, 0]

    def losses(self, drawn: tf.Tensor) -> dict[str, tf.Tensor]:
        """Log losses of scores that are logits (He et al. 2017, equation 7).

        Args:
          drawn: int32 [B, N], what `negatives` gave.

        Returns:
          float32 [B] by "positive" and "negative": sums over targets of
          softplus(-score) and over negatives of softplus(score). A target that
          the catalog lacks counts as the mean of the row's others, which is
          neither good nor bad; without others "positive" is -1.
        """

        def total(items: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(tf.where(items < 0, 0.0, values), axis=1)

        targets = self._rows.targets
        known = tf.cast(number(targets >= 0)[:, 0], tf.float32)
        held_out = tf.cast(number(self._rows.present)[:, 0], tf.float32)
        scale = held_out / tf.maximum(known, 1.0)
        positive = total(targets, tf.math.softplus(-self._own)) * scale
        return {
            "positive": tf.where(known > 0, positive, -1.0),
            "negative": total(drawn, tf.math.softplus(value_at(self._scores, drawn))),
        }


def row_weights(protocol: ProtocolConfig, others: tf.Tensor) -> tf.Tensor:
    """Return how much rows count.

    Args:
      protocol: the protocol.
      others: int32 [B], candidates beside the targets.

    Returns:
      float32 [B], 0 for a row without any candidate under MLPerf's rules, else 1.
    """
    padded = tf.equal(others, 0) if protocol.mlperf else tf.zeros_like(others, tf.bool)
    return tf.where(padded, 0.0, 1.0)


def number(flags: tf.Tensor) -> tf.Tensor:
    """Count what is true in each row.

    Args:
      flags: bool [B, N].

    Returns:
      int32 [B, 1].
    """
    return tf.reduce_sum(tf.cast(flags, tf.int32), axis=1, keepdims=True)
