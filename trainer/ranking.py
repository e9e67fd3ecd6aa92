"""Where a held-out item ranks among its candidates, as pure TensorFlow functions.

Called by trainer.serving (the `rank` signature that TFMA evaluates) and by
the validation of each epoch. Two protocols share one comparison: `full` takes
the whole catalog less the user's history, `sampled` the row's own candidates
or else items drawn from what `full` takes. A rank is two counts, the
candidates scored better and those scored equal, so that any tie rule can be
applied afterwards; a constant model then scores as chance, never better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import tensorflow as tf

from trainer.evaluation_config import CANDIDATES
from trainer.sampling import by_chunks, draw, marked


class Queries(NamedTuple):
    """Held-out items to rank, one row a user; items are catalog positions.

    Attributes:
      user_fingerprint: int64 [B], `fingerprint` of the user ids; names the user
        for the draws of the sampled protocol.
      history: int32 ragged [B, None], items seen; -1 where not in the catalog.
      target: int32 [B], the held-out item; -1 where not in the catalog.
      candidates: int32 ragged [B, None], the row's own candidates of the
        sampled protocol; an empty row has them drawn.
    """

    user_fingerprint: tf.Tensor
    history: tf.RaggedTensor
    target: tf.Tensor
    candidates: tf.RaggedTensor


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


def unseen(queries: Queries, items: tf.Tensor) -> tf.Tensor:
    """Candidates of the full protocol: the catalog less history and target.

    Args:
      queries: B rows.
      items: number C of catalog items, a scalar.

    Returns:
      bool [B, C].
    """
    return ~(marked(queries.history, items) | _targets(queries, items))


def sampled(
    queries: Queries, unseen_items: tf.Tensor, items: tf.Tensor, negatives: int, seed: int
) -> tf.Tensor:
    """Candidates of the sampled protocol: those given, or `negatives` drawn.

    See trainer.sampling for the draw. A given candidate that is the target,
    that is not in the catalog or that is repeated does not count (again).

    Args:
      queries: B rows.
      unseen_items: bool [B, C], what `unseen` gave.
      items: int64 [C], `fingerprint` of the item ids.
      negatives: how many to draw.
      seed: of the draws.

    Returns:
      bool [B, C].
    """
    size = tf.size(items)
    given = marked(queries.candidates, size) & ~_targets(queries, size)
    drawn = draw(queries.user_fingerprint, items, unseen_items, count=negatives, seed=seed)
    has_own = (queries.candidates.row_lengths() > 0)[:, tf.newaxis]
    return tf.where(has_own, given, drawn)


def rank(
    queries: Queries,
    scorers: Mapping[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]],
    items: tf.Tensor,
    *,
    negatives: int,
    seed: int,
    protocols: tuple[str, ...] = CANDIDATES,
) -> dict[str, Ranks]:
    """Ranks every query's target under each protocol, by each scorer.

    Rows are taken some at a time, so that memory does not grow with B.

    Args:
      queries: B rows.
      scorers: what ranks, by name. Each is called with a range (start, end) of
        rows and returns their scores, float [end - start, C], or [1, C] when
        every row has the same.
      items: int64 [C], `fingerprint` of the catalog's item ids.
      negatives: of the sampled protocol.
      seed: of the sampled protocol's draws.
      protocols: those wanted, of trainer.evaluation_config.CANDIDATES.

    Returns:
      Ranks of [B] by "{scorer}_{protocol}".
    """
    names = [f"{name}_{protocol}" for name in scorers for protocol in protocols]

    def rank_rows(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
        rows = Queries(*(part[start:end] for part in queries))
        candidates = {"full": unseen(rows, tf.size(items))}
        if "sampled" in protocols:
            candidates["sampled"] = sampled(rows, candidates["full"], items, negatives, seed)
        counts: list[tf.Tensor] = []
        for scorer in scorers.values():
            scores = scorer(start, end)
            for protocol in protocols:
                counts.extend(compare(scores, rows.target, candidates[protocol]))
        return counts

    dtypes = [tf.int32] * (2 * len(names))
    columns = by_chunks(rank_rows, tf.size(queries.target), tf.size(items), dtypes)
    columns = [tf.ensure_shape(column, [None]) for column in columns]
    return {name: Ranks(*columns[2 * i : 2 * i + 2]) for i, name in enumerate(names)}


def _count(flags: tf.Tensor) -> tf.Tensor:
    return tf.math.count_nonzero(flags, axis=1, dtype=tf.int32)


def _targets(queries: Queries, items: tf.Tensor) -> tf.Tensor:
    return tf.range(items)[tf.newaxis, :] == queries.target[:, tf.newaxis]
