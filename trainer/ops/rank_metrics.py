"""HR@k and NDCG@k of rows, which validation and the Evaluator share, in NumPy."""

from __future__ import annotations

import numpy as np

from trainer.ops.tie_groups import TieGroups


def hit_rate(tie_groups: TieGroups, k: int) -> np.ndarray:
    """Return the chance that a target of the row is among the first k.

    A group of m positions, c of them above the cut-off, holds t targets in a
    random order: none of them is above with the hypergeometric probability
    (m - c) (m - c - 1) ... / (m (m - 1) ...), t factors each. With one target
    the hit is expected to be c / m. Source: He et al. 2017, "Neural
    Collaborative Filtering", section 4.1; the Model Garden's position < k.

    Args:
      tie_groups: of the targets of N rows.
      k: cut-off.

    Returns:
      float64 [N] in [0, 1].
    """
    below = tie_groups.size - tie_groups.above(k) - tie_groups.number
    return 1 - tie_groups.products(np.maximum(below, 0) / (tie_groups.size - tie_groups.number))


def ndcg(tie_groups: TieGroups, k: int) -> np.ndarray:
    """Return the normalized discounted cumulative gain of the row's first k.

    A target at position p (from 0) gains 1 / log2(p + 2) if p < k, as the
    Model Garden's log 2 / log(p + 2); the sum is divided by that of a list
    that begins with all targets. Expected over orders, a target gains the mean
    over its group's positions, a difference of cumulated gains. Source:
    Jarvelin and Kekalainen 2002, "Cumulated Gain-based Evaluation of IR
    Techniques"; ties: McSherry and Najork 2008.

    Args:
      tie_groups: of the targets of N rows.
      k: cut-off.

    Returns:
      float64 [N] in [0, 1].
    """
    cumulated = np.append(0.0, np.cumsum(1 / np.log2(np.arange(k) + 2)))
    start = np.minimum(tie_groups.first, k)
    gained = cumulated[start + tie_groups.above(k)] - cumulated[start]
    ideal = cumulated[np.minimum(tie_groups.count, k)]
    return tie_groups.sums(gained / tie_groups.size) / ideal
