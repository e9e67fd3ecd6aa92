"""The in-batch softmax between distinct queries and distinct candidates.

A batch has each user and item many times, and their scores with them. Here
each is scored once and counts as often as it stands in the batch: the same loss
and gradients as those of the plain form with a row a positive and a column a
candidate, from a fraction of its scores. No more than a tile of them is kept.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from trainer.config.two_tower import SoftmaxConfig, TwoTowerConfig

# Scores a tile, so that they stay in the cache between the passes over them.
TILE = 2**20
# exp overflows from 88 on, and sums are some powers of e larger than their terms.
_LARGE = 50.0
# As TFRS clips sampling probabilities.
_RAREST = 1e-6


def fits(settings: TwoTowerConfig) -> bool:
    """Tell whether a training may embed each of its users and items once a batch.

    Dropout and batch normalization tell rows of one item apart, and sampled negatives
    and whole histories are scored in other ways. Accelerators want shapes that no batch
    changes, and have the plain form's scores for next to nothing.

    Args:
      settings: of the towers.

    Returns:
      Whether it may, on the devices that this process sees.
    """
    if settings.dropout or settings.batch_norm:
        return False
    if settings.samples_negatives or settings.reads_sequence:
        return False
    return all(device.device_type == "CPU" for device in tf.config.list_logical_devices())


@dataclasses.dataclass(frozen=True)
class Distinct:
    """Number the distinct ones of some ids in the order in which they first occur.

    Attributes:
      first: int32 [K], where each occurs first.
      number: int32 [N], the number of each id.
      copies: float32 [K], how often each occurs.
    """

    first: tf.Tensor
    number: tf.Tensor
    copies: tf.Tensor

    @classmethod
    def of(cls, ids: tf.Tensor) -> Distinct:
        """Find the distinct ones of some ids.

        Args:
          ids: integers [N].

        Returns:
          See the class.
        """
        _, number, copies = tf.unique_with_counts(ids)
        first = tf.math.unsorted_segment_min(tf.range(tf.size(ids)), number, tf.size(copies))
        return cls(first, number, tf.cast(copies, tf.float32))


@dataclasses.dataclass(frozen=True)
class Choices:
    """Say which of K candidates each of B rows should pick by its query.

    Attributes:
      query: int32 [B], the number of each row's query.
      own: int32 [B], the number of the candidate that each row should pick.
      copies: float32 [K], how often each candidate stands to be picked, at least once.
      probability: float32 [K], of drawing it, for the logQ correction; None without.
    """

    query: tf.Tensor
    own: tf.Tensor
    copies: tf.Tensor
    probability: tf.Tensor | None = None

    @property
    def weight(self) -> tf.Tensor:
        """Return the factor on each candidate's exponential, float32 [K]."""
        if self.probability is None:
            return tf.ones_like(self.copies)
        return 1.0 / tf.clip_by_value(self.probability, _RAREST, 1.0)


def cross_entropy(
    queries: tf.Tensor, candidates: tf.Tensor, choices: Choices, settings: SoftmaxConfig
) -> tf.Tensor:
    """Add up the rows' cross entropies of picking one copy of their own candidates.

    Args:
      queries: float32 [Q, D].
      candidates: float32 [K, D]; a dot product is a score.
      choices: see Choices.
      settings: whether other copies of a row's own candidate count, and how many
        of the best-scored copies do.

    Returns:
      float32 scalar.
    """
    rows = tf.gather(queries, choices.query) * tf.gather(candidates, choices.own)
    score = tf.reduce_sum(rows, axis=1)
    if settings.hard_negatives:
        return _against_hardest(queries, candidates, score, choices, settings)
    return _against_all(queries, candidates, score, choices, settings.remove_accidental_hits)


def _against_all(
    queries: tf.Tensor, candidates: tf.Tensor, score: tf.Tensor, choices: Choices, remove: bool
) -> tf.Tensor:
    """Compute loss and gradients together, as the scores of a tile serve both."""
    weight = tf.gather(choices.weight, choices.own)
    others = tf.gather(choices.copies, choices.own) - 1.0 if remove else tf.zeros_like(score)
    counted = choices.weight * choices.copies

    @tf.custom_gradient
    def total(queries: tf.Tensor, candidates: tf.Tensor, score: tf.Tensor) -> tuple:
        rows = _Rows(choices.query, score, weight, others)
        sums, shifts, to_queries, to_candidates = _over_tiles(queries, candidates, counted, rows)
        own, row_sums = rows.sums(sums, shifts)
        losses = tf.math.log(row_sums / weight) + tf.gather(shifts, rows.query) - score
        to_score = -weight * others * own / row_sums - 1.0

        def gradient(upstream: tf.Tensor) -> tuple:
            return upstream * to_queries, upstream * to_candidates, upstream * to_score

        return tf.reduce_sum(losses), gradient

    return total(queries, candidates, score)


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Hold rows of a batch, by the number of their queries in what they are looked up in.

    Attributes:
      query: int32 [B].
      score: float32 [B], of the own candidate.
      weight: float32 [B], of one copy of it.
      others: float32 [B], how many of its copies do not count.
    """

    query: tf.Tensor
    score: tf.Tensor
    weight: tf.Tensor
    others: tf.Tensor

    def between(self, first: tf.Tensor, end: tf.Tensor) -> _Rows:
        """Return the rows of the queries first, ..., end - 1, which are numbered from 0."""
        rows = tf.where((self.query >= first) & (self.query < end))[:, 0]
        query, *values = (
            tf.gather(values, rows) for values in (self.query, self.score, self.weight, self.others)
        )
        return _Rows(query - first, *values)

    def sums(self, sums: tf.Tensor, shifts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return exp(score - shift) and the sum over all copies that count, float32 [B] both.

        It is the query's, less the own candidate's other copies; whatever was
        rounded, the own one is left.
        """
        own = tf.exp(self.score - tf.gather(shifts, self.query))
        one = self.weight * own
        return own, tf.maximum(tf.gather(sums, self.query) - self.others * one, one)


def _over_tiles(
    queries: tf.Tensor, candidates: tf.Tensor, counted: tf.Tensor, rows: _Rows
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Sum exp(score - shift) over the candidates, for some queries at a time.

    Returns:
      The sums and shifts, float32 [Q] each, and the gradients that the rows' logarithms
      of their sums give the queries and the candidates.
    """
    norms = [tf.reduce_max(tf.reduce_sum(side * side, axis=1)) for side in (queries, candidates)]
    small = norms[0] * norms[1] < _LARGE**2
    count, width = tf.shape(queries)[0], candidates.shape[1]
    size = tf.maximum(TILE // tf.shape(candidates)[0], 1)
    weighted = counted[:, None] * candidates

    def some(first: tf.Tensor, found: tuple, to_candidates: tf.Tensor) -> tuple:
        tile = queries[first : first + size]
        scores = tf.matmul(tile, candidates, transpose_b=True)
        shifts = tf.cond(
            small, lambda: tf.zeros_like(scores[:, 0]), lambda: tf.reduce_max(scores, axis=1)
        )
        terms = tf.exp(tf.cond(small, lambda: scores, lambda: scores - shifts[:, None]))
        sums = tf.linalg.matvec(terms, counted)
        here = rows.between(first, first + size)
        _, row_sums = here.sums(sums, shifts)
        share = tf.math.unsorted_segment_sum(1.0 / row_sums, here.query, tf.shape(tile)[0])
        to_tile = share[:, None] * tf.matmul(terms, weighted)
        to_candidates += tf.matmul(terms, share[:, None] * tile, transpose_a=True)
        at = first // size
        parts = zip(found, (sums, shifts, to_tile), strict=True)
        found = tuple(array.write(at, value) for array, value in parts)
        return first + size, found, to_candidates

    found = tuple(
        tf.TensorArray(tf.float32, -(-count // size), infer_shape=False, element_shape=shape)
        for shape in ([None], [None], [None, width])
    )
    _, found, to_candidates = tf.while_loop(
        lambda first, *_: first < count, some, [0, found, tf.zeros_like(candidates)]
    )
    sums, shifts, to_queries = (array.concat() for array in found)
    return sums, shifts, to_queries, counted[:, None] * to_candidates


def _against_hardest(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    score: tf.Tensor,
    choices: Choices,
    settings: SoftmaxConfig,
) -> tf.Tensor:
    """Let only the best-scored copies count: a row's are among the best candidates of its query."""
    logits = tf.matmul(queries, candidates, transpose_b=True) + tf.math.log(choices.weight)
    hardest = settings.hard_negatives
    best, numbers = tf.math.top_k(logits, tf.minimum(hardest + 1, tf.shape(candidates)[0]))
    best, numbers = (tf.gather(values, choices.query) for values in (best, numbers))
    copies = tf.gather(choices.copies, numbers)
    others = 0.0 if settings.remove_accidental_hits else copies - 1.0
    copies = tf.where(numbers == choices.own[:, None], others, copies)
    before = tf.cumsum(copies, axis=1, exclusive=True)
    counted = tf.clip_by_value(float(hardest) - before, 0.0, copies)
    own = score + tf.math.log(tf.gather(choices.weight, choices.own))
    terms = tf.concat([own[:, None], best + tf.math.log(counted)], axis=1)
    return tf.reduce_sum(tf.reduce_logsumexp(terms, axis=1) - own)
