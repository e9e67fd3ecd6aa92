"""Metrics of ranks: by hand, over all orders of ties, and against other implementations."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from components.metrics.auc import RankAUC
from components.metrics.hr import RankHitRate
from components.metrics.map import RankMAP
from components.metrics.mean_rank import MeanRank
from components.metrics.mrr import RankMRR
from components.metrics.ndcg import RankNDCG
from components.metrics.precision import RankPrecision
from components.metrics.recall import RankRecall
from tests.support import ranked
from tests.support.ranked import table, table_of_scores

CUT_OFF = {
    "hr": RankHitRate,
    "ndcg": RankNDCG,
    "mrr": RankMRR,
    "recall": RankRecall,
    "precision": RankPrecision,
    "map": RankMAP,
}
WHOLE = {"mean_rank": MeanRank, "auc": RankAUC}
ALL = {**CUT_OFF, **WHOLE}


def values(metric, ranks, k=10, **settings):
    cut_off = {"k": k} if metric in CUT_OFF else {}
    return ALL[metric](name=metric, protocol="full", **cut_off, **settings).values(ranks)


SECOND, THIRD = 1 / np.log2(3), 1 / np.log2(4)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        # Certainly second; certainly third; second or third; one of the first four.
        ("hr", [1, 0, 1 / 2, 2 / 4]),
        ("ndcg", [SECOND, 0, SECOND / 2, (1 + SECOND) / 4]),
        ("mrr", [1 / 2, 0, 1 / 4, (1 + 1 / 2) / 4]),
        ("recall", [1, 0, 1 / 2, 2 / 4]),
        ("precision", [1 / 2, 0, 1 / 4, 1 / 4]),
        ("map", [1 / 2, 0, 1 / 4, (1 + 1 / 2) / 4]),
        ("mean_rank", [2, 3, 2.5, 2.5]),
        ("auc", [8 / 9, 7 / 9, 7.5 / 9, 7.5 / 9]),
    ],
)
def test_one_target_by_hand(metric, expected):
    ranks = table([1, 2, 1, 0], [[0], [0], [1], [3]], length=10)
    np.testing.assert_allclose(values(metric, ranks, k=2), expected)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        # First and third of five; third and fourth; both among the first three, in any order.
        ("hr", [1, 0, 1]),
        ("ndcg", [1 / (1 + SECOND), 0, 2 / 3]),
        ("mrr", [1, 0, 2 / 3 + 1 / 3 / 2]),
        ("recall", [1 / 2, 0, 2 / 3]),
        ("precision", [1 / 2, 0, 2 / 3]),
        # Orders TTo, ToT, oTT: (1 + 1) / 2, 1 / 2, (1 / 2) / 2.
        ("map", [1 / 2, 0, (1 + 1 / 2 + 1 / 4) / 3]),
        ("mean_rank", [2, 3.5, 2]),
        ("auc", [5 / 6, 2 / 6, (1 + 5 / 6 + 4 / 6) / 3]),
    ],
)
def test_two_targets_by_hand(metric, expected):
    ranks = table([[0, 2], [3, 2], [0, 0]], [[0, 0], [0, 0], [2, 2]], length=5)
    np.testing.assert_allclose(values(metric, ranks, k=2), expected)


def small_lists(count, most_targets, seed):
    generator = np.random.default_rng(seed)
    for _ in range(count):
        length = int(generator.integers(2, 7))
        targets = generator.permutation(length)[: generator.integers(1, most_targets + 1)]
        if len(targets) < length:
            yield generator.integers(0, 3, length).tolist(), targets.tolist()


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("k", [1, 2, 3, 10])
def test_the_average_rule_is_the_mean_over_all_orders_of_equal_scores(metric, k):
    lists = list(small_lists(60, 4, seed=k))
    found = values(metric, table_of_scores(lists), k)
    expected = [
        np.mean([ranked.of_order(metric, order, targets, k) for order in ranked.orders(scores)])
        for scores, targets in lists
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(("rule", "targets_first"), [("pessimistic", False), ("optimistic", True)])
def test_the_other_rules_put_targets_last_or_first_among_equals(metric, rule, targets_first):
    lists = list(small_lists(80, 4, seed=9))
    found = values(metric, table_of_scores(lists), 3, ties=rule)
    expected = [
        ranked.of_order(
            metric,
            sorted(range(len(scores)), key=lambda i: (-scores[i], (i in targets) != targets_first)),
            targets,
            3,
        )
        for scores, targets in lists
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)


CHANCE = {
    "hr": 10 / 100,
    "ndcg": (1 / np.log2(np.arange(10) + 2)).sum() / 100,
    "mrr": (1 / (np.arange(10) + 1)).sum() / 100,
    "recall": 10 / 100,
    "precision": 1 / 100,
    "map": (1 / (np.arange(10) + 1)).sum() / 100,
    "mean_rank": 50.5,
    "auc": 0.5,
}


@pytest.mark.parametrize("metric", ALL)
def test_a_constant_model_scores_chance_and_nothing_under_the_pessimistic_rule(metric):
    constant = table_of_scores([([0.5] * 100, [7])])
    (chance,) = values(metric, constant)
    (least,) = values(metric, constant, ties="pessimistic")
    (most,) = values(metric, constant, ties="optimistic")
    assert chance == pytest.approx(CHANCE[metric])
    assert least == (100 if metric == "mean_rank" else 0)
    best = {"mean_rank": 1, "precision": 1 / 10}.get(metric, 1)
    assert most == pytest.approx(best)


@pytest.mark.parametrize("metric", ALL)
def test_a_constant_model_scores_chance_with_several_targets(metric):
    (found,) = values(metric, table_of_scores([([0.0] * 30, [3, 8, 9])]))
    generator = np.random.default_rng(0)
    drawn = [
        ranked.of_order(metric, generator.permutation(30).tolist(), [3, 8, 9], 10)
        for _ in range(4000)
    ]
    assert found == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / np.sqrt(4000))
    (least,) = values(metric, table_of_scores([([0.0] * 30, [3, 8, 9])]), ties="pessimistic")
    assert least == (29 if metric == "mean_rank" else 0)


def test_targets_that_rank_last_without_a_score_share_the_last_positions():
    # Two of three targets are outside the catalog: everything counts as better.
    ranks = table([[1, 9, 9]], [[0, 0, 0]], length=10)
    assert values("mean_rank", ranks)[0] == pytest.approx((2 + 9 + 10) / 3)
    assert values("auc", ranks)[0] == pytest.approx(6 / 21)


def random_lists(count, length, most_targets, distinct, seed):
    generator = np.random.default_rng(seed)
    for _ in range(count):
        scores = generator.integers(0, distinct, length).astype(float)
        size = generator.integers(1, most_targets + 1)
        yield scores, generator.permutation(length)[:size]


def labels_of(scores, targets):
    labels = np.zeros(len(scores), int)
    labels[targets] = 1
    return labels


@pytest.mark.parametrize("k", [5, 40])
def test_ndcg_equals_scikit_learns_with_ties(k):
    lists = list(random_lists(200, 40, 5, distinct=8, seed=1))
    expected = [ndcg_score([labels_of(s, t)], [s], k=k) for s, t in lists]
    np.testing.assert_allclose(values("ndcg", table_of_scores(lists), k), expected)


def test_auc_equals_scikit_learns_with_ties():
    lists = list(random_lists(200, 40, 5, distinct=8, seed=2))
    expected = [roc_auc_score(labels_of(s, t), s) for s, t in lists]
    np.testing.assert_allclose(values("auc", table_of_scores(lists)), expected)


def test_average_precision_equals_scikit_learns_without_ties():
    # With ties scikit-learn takes a group as one step of the curve, which is no mean over orders.
    generator = np.random.default_rng(3)
    lists = [(generator.permutation(40), t) for _, t in random_lists(200, 40, 5, 2, seed=3)]
    expected = [average_precision_score(labels_of(s, t), s) for s, t in lists]
    np.testing.assert_allclose(values("map", table_of_scores(lists), k=40), expected)


RANX = {
    "hr": "hit_rate",
    "ndcg": "ndcg",
    "mrr": "mrr",
    "recall": "recall",
    "precision": "precision",
    "map": "map",
}


def ranx_scores(lists, k):
    """ranx's figures of lists without ties, by our names: [L] each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ranx

        qrels = {str(n): {f"i{i}": 1 for i in targets} for n, (_, targets) in enumerate(lists)}
        run = {str(n): {f"i{i}": x for i, x in enumerate(s)} for n, (s, _) in enumerate(lists)}
        run = ranx.Run(run)
        ranx.evaluate(ranx.Qrels(qrels), run, [f"{name}@{k}" for name in RANX.values()])
    found = {
        metric: np.asarray([run.scores[f"{name}@{k}"][str(n)] for n in range(len(lists))])
        for metric, name in RANX.items()
    }
    # ranx divides by all targets; here at most k of them count.
    count = np.asarray([len(targets) for _, targets in lists])
    return {**found, "map": found["map"] * count / np.minimum(count, k)}


@pytest.mark.seconds
def test_metrics_equal_ranx_over_random_breaks_of_ties(monkeypatch):
    # Compiling itself takes ranx a minute.
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    generator = np.random.default_rng(5)
    k, breaks = 5, 100
    tied = list(random_lists(40, 25, 7, distinct=6, seed=k))
    strict = [(s + generator.random(25) * 0.5, t) for s, t in tied for _ in range(breaks)]
    for metric, expected in ranx_scores(strict, k).items():
        found = values(metric, table_of_scores(strict), k)
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=metric)
        drawn = expected.reshape(-1, breaks)
        error = np.sqrt((drawn.var(axis=1) / breaks).sum())
        averaged = values(metric, table_of_scores(tied), k).sum()
        assert abs(averaged - drawn.mean(axis=1).sum()) <= 4 * error, metric


@pytest.mark.parametrize("negatives", [99, 999])
def test_the_model_gardens_formulas_on_random_logits_with_duplicates(negatives):
    """Descending sort, duplicates at the least value, the true item last; see works.md's source."""
    generator = np.random.default_rng(negatives)
    users, catalog = 200, 2 * negatives
    logits = generator.normal(size=(users, catalog)).astype(np.float32)
    target = generator.integers(0, catalog, users)
    drawn = generator.integers(0, catalog, (users, negatives))
    candidates = np.concatenate([drawn, target[:, np.newaxis]], axis=1)
    by_user = np.take_along_axis(logits, candidates, axis=1)
    duplicate = np.zeros_like(candidates, bool)
    for user, row in enumerate(candidates):
        seen = {int(row[-1])}
        for place in range(negatives):
            duplicate[user, place] = int(row[place]) in seen
            seen.add(int(row[place]))
    by_user = np.where(duplicate, np.finfo(np.float32).min, by_user)
    order = np.argsort(-by_user, axis=1, kind="stable")
    position = np.argmax(order == negatives, axis=1)
    in_top = position < 10
    expected = {"hr": in_top, "ndcg": np.where(in_top, np.log(2) / np.log(position + 2), 0)}

    counts = [
        ranked.counts(row[~masked], [int((~masked).sum()) - 1])
        for row, masked in zip(by_user, duplicate, strict=True)
    ]
    ranks = table([g for g, _ in counts], [t for _, t in counts], length=(~duplicate).sum(axis=1))
    for metric, wanted in expected.items():
        np.testing.assert_allclose(values(metric, ranks), wanted, rtol=1e-12)


def test_protocols_and_subjects_read_their_own_columns():
    full = table([0], popularity=[2])
    sampled = table([1], popularity=[3], protocol="sampled")
    both = type(full)(
        full.users,
        full.count,
        {**full.rows, **sampled.rows},
        {},
        {**full.targets, **sampled.targets},
    )
    found = [
        RankNDCG(name="x", protocol=protocol, subject=subject).values(both)[0]
        for subject in ("model", "popularity")
        for protocol in ("full", "sampled")
    ]
    np.testing.assert_allclose(found, 1 / np.log2([2, 3, 4, 5]))


@pytest.mark.parametrize("metric", ALL)
def test_the_lift_is_the_difference_of_the_same_rows(metric):
    ranks = table([0, 5, 20], popularity=[30, 3, 3])
    own, popularity, lift = (
        values(metric, ranks, subject=subject) for subject in ("model", "popularity", "lift")
    )
    np.testing.assert_allclose(lift, own - popularity)
    assert lift[0] != 0


def test_rows_that_mlperf_leaves_out_have_no_weight():
    ranks = table([0, 50], full_weight=np.asarray([1, 0], np.float32))
    metric = RankHitRate(name="hr", protocol="full")
    assert metric.mean(metric.rows(ranks)) == 1.0
