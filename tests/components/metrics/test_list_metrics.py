"""Metrics of the served lists, by hand; the spread of those that are no means."""

import numpy as np
import pytest
from sklearn.metrics import auc as area

from components.metrics import bootstrap
from components.metrics.coverage import ListCoverage
from components.metrics.diversity import ListDiversity
from components.metrics.gini import ListGini
from components.metrics.list_popularity import ListPopularity
from components.metrics.novelty import ListNovelty
from components.metrics.table import RankTable


def table(items, catalog, shares=None, diversity=0.0):
    items = np.asarray(items, np.int32)
    size = len(items)
    shares = np.zeros(items.shape) if shares is None else shares
    return RankTable(
        users=np.random.default_rng(size).integers(-(2**63), 2**63 - 1, size),
        count=np.ones(size, int),
        rows={
            "catalog_size": np.full(size, catalog, np.int32),
            "top_diversity": np.broadcast_to(diversity, size).astype(np.float32),
        },
        lists={"top_item": items, "top_share": np.asarray(shares, np.float32)},
        targets={},
    )


def figure(metric, ranks):
    return metric.mean(metric.rows(ranks))


LISTS = [[0, 1, 2], [0, 2, 3], [0, 1, -1], [-1, -1, -1]]


@pytest.mark.parametrize(("k", "served"), [(1, 1), (2, 3), (3, 4)])
def test_coverage_counts_what_anyone_is_served(k, served):
    found = figure(ListCoverage(name="x", k=k), table(LISTS, 8))
    assert found == pytest.approx(served / 8)


def test_gini_by_hand():
    # Served 3, 2, 2, 1 times, and two items never: ranks 6, 4.5, 4.5, 3 of 6.
    served = np.asarray([0, 0, 1, 2, 2, 3])
    expected = sum((2 * i - 6 - 1) * x for i, x in enumerate(served, 1)) / (6 * 8)
    assert figure(ListGini(name="x", k=3), table(LISTS, 6)) == pytest.approx(expected)
    # Twice the area between Lorenz's curve and the diagonal.
    lorenz = np.append(0, np.cumsum(served)) / 8
    assert expected == pytest.approx(1 - 2 * area(np.arange(7) / 6, lorenz))


def test_gini_is_0_where_all_items_are_served_alike_and_near_1_where_one_is():
    gini = ListGini(name="x", k=2)
    assert figure(gini, table([[0, 1], [2, 3]], 4)) == pytest.approx(0)
    assert figure(ListGini(name="x", k=1), table([[5]] * 9, 100)) == pytest.approx(0.99)


def test_novelty_and_popularity_by_hand():
    shares = [[0.5, 0.25, 0.0], [0.5, 0.0, 0.125], [0.5, 0.25, 0.9], [0.9, 0.9, 0.9]]
    ranks = table(LISTS, 8, shares)
    novelty, popularity = ListNovelty(name="x", k=3), ListPopularity(name="x", k=3)
    # An item without interactions has 30 bits; the empty list does not count.
    expected = [(1 + 2 + 30) / 3, (1 + 30 + 3) / 3, (1 + 2) / 2]
    np.testing.assert_allclose(novelty.values(ranks)[:3], expected)
    assert figure(novelty, ranks) == pytest.approx(np.mean(expected))
    expected = np.mean([0.75 / 3, 0.625 / 3, 0.75 / 2])
    assert figure(popularity, ranks) == pytest.approx(expected)
    assert figure(ListNovelty(name="x", k=1), ranks) == pytest.approx(1)


def test_diversity_is_that_of_lists_with_a_pair():
    lists = [[0, 1], [0, 2], [0, -1]]
    ranks = table(lists, 8, diversity=[0.5, 1.0, 0.0])
    assert figure(ListDiversity(name="x", k=2), ranks) == pytest.approx(0.75)


def test_a_slice_without_any_list_has_no_figure():
    ranks = table([[-1, -1]], 8)
    for metric in (ListCoverage, ListGini, ListNovelty, ListPopularity, ListDiversity):
        assert np.isnan(figure(metric(name="x", k=2), ranks))


def drawn_lists(generator, users, exponent):
    """Lists of 10 of 400 items, popular ones more often."""
    keys = generator.gumbel(size=(users, 400)) - exponent * np.log(np.arange(400) + 1)
    return np.argsort(-keys, axis=1)[:, :10]


@pytest.mark.parametrize(
    ("metric", "least", "most"), [(ListCoverage, 1.0, 1.7), (ListGini, 0.8, 1.25)]
)
def test_intervals_of_coverage_and_gini_are_as_wide_as_their_spread_over_samples(
    metric, least, most
):
    generator = np.random.default_rng(0)
    metric = metric(name="x")
    tables = [table(drawn_lists(generator, 300, 1.3), 400) for _ in range(150)]
    figures = [figure(metric, ranks) for ranks in tables]
    widths = []
    for ranks, own in zip(tables[:5], figures, strict=False):
        rows = metric.rows(ranks)
        resampled = bootstrap.means([(rows.values, rows.weights)], ranks.users)
        lower, upper = bootstrap.ends(resampled)[:, 0]
        assert lower < own < upper
        widths.append(upper - lower)
    ratio = np.mean(widths) / (2 * 1.96 * np.std(figures))
    # The jackknife is never too narrow in expectation (Efron and Stein 1981).
    assert least <= ratio <= most
