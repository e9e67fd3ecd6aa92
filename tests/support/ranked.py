"""Rank tables of given scores, and metrics of a list in a known order.

The metrics here are written from their definitions, for one list in one
order; tests average them over orders, the code never makes an order.
"""

import itertools
import math

import numpy as np

from components.metrics.table import RankTable


def counts(scores, targets):
    """`greater` and `ties` of each target, from a list's scores."""
    scores = np.asarray(scores)
    others = [np.delete(scores, target) for target in targets]
    own = [scores[target] for target in targets]
    greater = [int((rest > one).sum()) for rest, one in zip(others, own, strict=True)]
    ties = [int((rest == one).sum()) for rest, one in zip(others, own, strict=True)]
    return greater, ties


def table(greater, ties=None, length=100, protocol="full", popularity=None, **columns):
    """A RankTable of rows with one target (numbers) or several (lists)."""
    greater = [np.atleast_1d(one) for one in greater]
    ties = [np.zeros_like(one) for one in greater] if ties is None else ties
    popularity = greater if popularity is None else popularity
    size = len(greater)
    targets = {
        f"{protocol}_greater": greater,
        f"{protocol}_ties": ties,
        f"popularity_{protocol}_greater": popularity,
        f"popularity_{protocol}_ties": [np.zeros_like(np.atleast_1d(p)) for p in popularity],
    }
    rows = {
        f"{protocol}_candidates": np.broadcast_to(length, size).astype(np.int32),
        f"{protocol}_weight": np.ones(size, np.float32),
        **{name: np.asarray(values) for name, values in columns.items()},
    }
    return RankTable(
        users=np.arange(size),
        count=np.asarray([len(one) for one in greater]),
        rows={name: values for name, values in rows.items() if values.ndim == 1},
        lists={name: values for name, values in rows.items() if values.ndim == 2},
        targets={
            name: np.concatenate([np.atleast_1d(one) for one in values]).astype(np.int32)
            for name, values in targets.items()
        },
    )


def table_of_scores(lists, protocol="full"):
    """A RankTable of (scores, targets) pairs."""
    found = [counts(scores, targets) for scores, targets in lists]
    lengths = [len(scores) for scores, _ in lists]
    return table([g for g, _ in found], [t for _, t in found], lengths, protocol)


def orders(scores):
    """All orders of a list, best first, that agree with its scores."""
    by_score = sorted(set(scores), reverse=True)
    groups = [[i for i, score in enumerate(scores) if score == own] for own in by_score]
    for parts in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield list(itertools.chain(*parts))


def of_order(metric, order, targets, k):
    """A metric of one list in one order."""
    relevant = [item in targets for item in order]
    top, n = relevant[:k], len(targets)
    positions = [place for place, is_target in enumerate(relevant) if is_target]
    inside = [place for place in positions if place < k]
    if metric == "hr":
        return float(any(top))
    if metric == "ndcg":
        ideal = sum(math.log(2) / math.log(place + 2) for place in range(min(n, k)))
        return sum(math.log(2) / math.log(place + 2) for place in inside) / ideal
    if metric == "mrr":
        return 1 / (inside[0] + 1) if inside else 0.0
    if metric == "recall":
        return len(inside) / n
    if metric == "precision":
        return len(inside) / k
    if metric == "map":
        return sum((i + 1) / (place + 1) for i, place in enumerate(inside)) / min(n, k)
    if metric == "mean_rank":
        return sum(place + 1 for place in positions) / n
    assert metric == "auc"
    pairs = [a < b for a in positions for b in range(len(order)) if not relevant[b]]
    return sum(pairs) / len(pairs)
