"""Ranks of the valid split, with several targets a user, against loops in Python."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.support import planted
from tests.support.fixed_scores import ITEMS, USERS, Fixed
from trainer.config.evaluation import EvaluationConfig, ProtocolConfig
from trainer.data.interactions import ABSENT
from trainer.ops import draws
from trainer.training.rank_validation import RankValidator

K = 5
EVALUATION = EvaluationConfig(
    k=K,
    protocols={
        "full": ProtocolConfig(),
        "unmasked": ProtocolConfig(mask_seen=False),
        "sampled": ProtocolConfig(candidates="sampled", negatives=12),
        "popular": ProtocolConfig(candidates="sampled", negatives=12, draw="popularity"),
        "mlperf": ProtocolConfig(
            candidates="sampled", negatives=12, replacement=True, exclude="history", mlperf=True
        ),
    },
)


def parts(values, splits):
    return np.split(values, splits[1:-1])


def expected(table, histories, candidates):
    """HR and NDCG at K of every row with targets, over all orders of equal scores."""
    hits, gains = [], []
    for user, targets in enumerate(parts(histories.targets, histories.target_splits)):
        if not len(targets):
            continue
        # What the catalog lacks stands behind everything.
        own = [-math.inf if target == ABSENT else table[user, target] for target in targets]
        listed = [*table[user, candidates(user)], *own]
        missed, gained = 1.0, 0.0
        for score in set(own):
            first = sum(other > score for other in listed)
            size = sum(other == score for other in listed)
            above = min(max(K - first, 0), size)
            missed *= math.comb(size - above, own.count(score)) / math.comb(size, own.count(score))
            gain = sum(1 / math.log2(place + 2) for place in range(first, first + above))
            gained += own.count(score) * gain / size
        hits.append(1 - missed)
        gains.append(gained / sum(1 / math.log2(p + 2) for p in range(min(len(own), K))))
    return {"hr": np.mean(hits), "ndcg": np.mean(gains)}


def known(histories, user):
    own = parts(histories.positions, histories.splits)[user]
    return {*own, *parts(histories.targets, histories.target_splits)[user]}


def validator(model, histories, which, catalog=None):
    catalog = planted.make_catalog(ITEMS) if catalog is None else catalog
    return RankValidator(model, histories, catalog, EVALUATION, which)


@pytest.mark.parametrize("which", ["full", "unmasked"])
@pytest.mark.seconds
def test_full_ranks_a_rows_targets_in_one_list_with_all_that_is_not_masked(table, histories, which):
    model = Fixed(table)
    candidates = []
    for user, targets in enumerate(parts(histories.targets, histories.target_splits)):
        left_out = known(histories, user) if which == "full" else targets
        candidates.append([item for item in range(ITEMS) if item not in left_out])
    measure = validator(model, histories, which)
    assert measure() == pytest.approx(expected(table, histories, candidates.__getitem__))
    assert int(model.encoded) == USERS


def drawn(histories, weights=None):
    """The negatives of each user, from the hashes of seed, user and item."""
    catalog = planted.make_catalog(ITEMS)
    users, items = (
        draws.fingerprint(tf.constant(ids.tolist()))
        for ids in (histories.user_id, catalog.item_ids)
    )
    allowed = np.ones((USERS, ITEMS), bool)
    for user in range(USERS):
        allowed[user, [item for item in known(histories, user) if item != ABSENT]] = False
    weights = None if weights is None else tf.constant(weights, tf.float32)
    found = draws.draw(
        users, items, tf.constant(allowed), count=12, seed=EVALUATION.seed, weights=weights
    )
    return [[item for item in row if item >= 0] for row in found.numpy().tolist()]


@pytest.mark.seconds
def test_sampled_ranks_a_rows_targets_beside_the_items_drawn_for_the_user(table, histories):
    model = Fixed(table)
    negatives = drawn(histories)
    for user in range(USERS):
        assert not known(histories, user) & set(negatives[user])
    measure = validator(model, histories, "sampled")
    assert measure() == pytest.approx(expected(table, histories, negatives.__getitem__))
    assert int(model.encoded) == USERS


@pytest.mark.seconds
def test_draws_by_popularity_go_by_the_counts_of_the_catalog(table, histories):
    # Ten items are never drawn, so that some users have fewer than asked for.
    counts = np.random.default_rng(3).integers(0, 50, ITEMS) * (np.arange(ITEMS) >= 24)
    negatives = drawn(histories, counts)
    assert min(map(len, negatives)) < 12
    measure = validator(
        Fixed(table), histories, "popular", planted.make_catalog(ITEMS).with_counts(counts)
    )
    assert measure() == pytest.approx(expected(table, histories, negatives.__getitem__))


@pytest.mark.parametrize("which", ["full", "sampled"])
@pytest.mark.seconds
def test_a_constant_model_scores_as_chance(histories, which):
    measured = validator(Fixed(np.zeros((USERS, ITEMS))), histories, which)()
    chance = []
    for user, targets in enumerate(parts(histories.targets, histories.target_splits)):
        own = sum(target != ABSENT for target in targets)
        size = 12 if which == "sampled" else ITEMS - len(known(histories, user) - {ABSENT})
        if len(targets):
            # None of the targets is among the first K of all orders.
            chance.append(1 - math.comb(size + own - K, own) / math.comb(size + own, own))
    assert measured["hr"] == pytest.approx(np.mean(chance))


@pytest.mark.parametrize("which", ["full", "sampled", "popular"])
@pytest.mark.seconds
def test_a_user_who_knows_the_whole_catalog_has_nothing_else_in_the_list(which):
    histories = planted.make_histories([[0, 1, 2], [0]], [[3], [1]])
    catalog = planted.make_catalog(4).with_counts(np.ones(4, np.int64))
    # The first user's target is the worst of all items, the second's too.
    table = np.asarray([[9.0, 9, 9, 0], [9, 0, 9, 9]])
    evaluation = EvaluationConfig(k=1, protocols=EVALUATION.protocols)
    measured = RankValidator(Fixed(table), histories, catalog, evaluation, which)()
    assert measured == {"hr": 0.5, "ndcg": 0.5}


@pytest.mark.seconds
def test_a_row_without_any_candidate_does_not_count_under_mlperfs_rules():
    catalog = planted.make_catalog(4)
    evaluation = EvaluationConfig(k=1, protocols=EVALUATION.protocols)
    table = np.asarray([[9.0, 9, 9, 0], [9, 0, 9, 9]])

    def measured(lists, targets):
        histories = planted.make_histories(lists, targets)
        return RankValidator(Fixed(table), histories, catalog, evaluation, "mlperf")()

    assert measured([[0, 1, 2], [0]], [[3], [1]]) == {"hr": 0.0, "ndcg": 0.0}
    assert math.isnan(measured([[0, 1, 2]], [[3]])["ndcg"])
