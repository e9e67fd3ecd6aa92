"""Where one held-out item a user ranks, and HR and NDCG of that, in TensorFlow.

A rank is two counts, the candidates scored better and those scored equal; a
constant model then scores as chance, never better.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Ranks(NamedTuple):
    """Counts of candidates, the target itself left out.

    Attributes:
      greater: int32 [B], candidates scored better than the target.
      ties: int32 [B], candidates scored equal.
    """

    greater: tf.Tensor
    ties: tf.Tensor


def hit_rate(greater: tf.Tensor, ties: tf.Tensor, k: int) -> tf.Tensor:
    """HR@k of one relevant item, expected over all orders of equal scores.

    The target lies at each of the positions greater .. greater + ties with the
    same probability, and counts as a hit below k.

    Args:
      greater: integers [B], candidates scored better.
      ties: integers [B], candidates scored equal.
      k: cut-off.

    Returns:
      float32 [B] in [0, 1].
    """
    places = tf.cast(ties, tf.float32) + 1.0
    return tf.clip_by_value((k - tf.cast(greater, tf.float32)) / places, 0.0, 1.0)


def ndcg(greater: tf.Tensor, ties: tf.Tensor, k: int) -> tf.Tensor:
    """NDCG@k of one relevant item, expected over all orders of equal scores.

    At position p (from 0) the gain is 1 / log2(p + 2) (Jarvelin and Kekalainen
    2002; the ideal is 1), and 0 from k on; the mean over the positions
    greater .. greater + ties comes from a table of cumulated gains.

    Args:
      greater: integers [B], candidates scored better.
      ties: integers [B], candidates scored equal.
      k: cut-off.

    Returns:
      float32 [B] in [0, 1].
    """
    positions = tf.range(k, dtype=tf.float32)
    gains = tf.math.log(2.0) / tf.math.log(positions + 2.0)
    cumulated = tf.concat([[0.0], tf.cumsum(gains)], axis=0)
    first = tf.minimum(greater, k)
    end = tf.minimum(greater + ties + 1, k)
    gained = tf.gather(cumulated, end) - tf.gather(cumulated, first)
    return gained / (tf.cast(ties, tf.float32) + 1.0)


def compare(scores: tf.Tensor, target: tf.Tensor, candidates: tf.Tensor) -> Ranks:
    """Ranks the target of each row among the row's candidates.

    The target's score is read from the same row of scores as the others', so
    equal scores are equal to the bit. A NaN never helps: a candidate counts as
    better unless it is certainly not. A target outside the catalog ranks last.

    Args:
      scores: float [B, C] or, shared by all rows, [1, C].
      target: int32 [B], position of the target or -1.
      candidates: bool [B, C]; the target must not be among them.

    Returns:
      Ranks of [B].
    """
    rows = tf.zeros_like(target) if scores.shape[0] == 1 else tf.range(tf.size(target))
    own = tf.gather_nd(scores, tf.stack([rows, tf.maximum(target, 0)], axis=1))[:, tf.newaxis]
    missing = (target < 0)[:, tf.newaxis]
    better = candidates & (~(scores <= own) | missing)
    equal = candidates & (scores == own) & ~missing
    return Ranks(_count(better), _count(equal))


def _count(flags: tf.Tensor) -> tf.Tensor:
    return tf.math.count_nonzero(flags, axis=1, dtype=tf.int32)
