"""Ranks and candidates of every protocol against loops in NumPy, with ties and NaN."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.evaluation import ProtocolConfig
from trainer.ops import candidates
from trainer.ops.draws import fingerprint
from trainer.ops.ranks import TargetRanks

USERS, SIZE = 60, 40


def dense(lists, width=None):
    width = width or max([1, *map(len, lists)])
    return np.asarray([[*row, *[-1] * (width - len(row))] for row in lists], np.int32)


def make_rows(seen, targets, given=None, users=None):
    users = users or [f"u{row}" for row in range(len(targets))]
    given = given or [[]] * len(targets)
    lengths = np.asarray([len(row) for row in targets])
    dense_targets = dense(targets)
    return candidates.HeldOutBatch(
        users=fingerprint(tf.constant(users)),
        seen=tf.constant(
            dense([[i for i in s if i not in t] for s, t in zip(seen, targets, strict=True)])
        ),
        targets=tf.constant(dense_targets),
        present=tf.constant(np.arange(dense_targets.shape[1]) < lengths[:, None]),
        given=tf.constant(dense(given)),
        has_given=tf.constant([len(row) > 0 for row in given]),
    )


def make_items(counts):
    return candidates.CatalogWeights(
        names=fingerprint(tf.constant([f"i{position}" for position in range(len(counts))])),
        weights=tf.constant(counts, tf.float32),
        sums=tf.constant(np.concatenate([[0], np.cumsum(counts)]), tf.int64),
    )


def expected_ranks(scores, rivals, targets):
    """Greater and ties of each target in the one list of candidates and targets."""
    own = [scores[t] if t >= 0 else np.nan for t in targets]
    scored = [value for value in own if not np.isnan(value)]
    ranks = []
    for value in own:
        if np.isnan(value):
            ranks.append((len(rivals) + len(scored), len(own) - len(scored) - 1))
            continue
        others = [scores[rival] for rival in rivals]
        greater = sum(not other <= value for other in others)
        greater += sum(other > value for other in scored)
        ties = sum(other == value for other in others)
        ranks.append((greater, ties + sum(other == value for other in scored) - 1))
    return ranks


def random_case(most_targets, seed=3):
    random = np.random.default_rng(seed)
    scores = random.integers(0, 6, (USERS, SIZE)).astype(np.float32)
    scores[random.random(scores.shape) < 0.05] = np.nan
    scores[random.random(scores.shape) < 0.03] = np.inf
    scores[random.random(scores.shape) < 0.03] = -np.inf
    seen = [random.choice(SIZE, random.integers(0, 20), replace=False).tolist() for _ in scores]
    targets = []
    for _ in scores:
        row = random.choice(SIZE, random.integers(1, most_targets + 1), replace=False).tolist()
        targets.append([-1 if random.random() < 0.1 else item for item in row])
    return scores, seen, targets


def assert_ranks(found, expected):
    greater, ties = found.greater.numpy(), found.ties.numpy()
    for row, ranks in enumerate(expected):
        assert list(zip(greater[row], ties[row], strict=True))[: len(ranks)] == ranks, row
        assert (greater[row, len(ranks) :] == -1).all()
        assert (ties[row, len(ranks) :] == -1).all()


# Targets are compared one after the other, or looked up in sorted scores.
@pytest.mark.parametrize("compared", [64, 1])
@pytest.mark.parametrize("most_targets", [1, 2, 7])
@pytest.mark.parametrize("mask_seen", [True, False])
def test_full_ranks_equal_numpy(compared, most_targets, mask_seen, monkeypatch):
    monkeypatch.setattr("trainer.ops.ranks._COMPARED", compared)
    scores, seen, targets = random_case(most_targets)
    rows = make_rows(seen, targets)
    protocol = ProtocolConfig(mask_seen=mask_seen)
    for ranking in (scores, scores[0]):
        scored = TargetRanks(rows, tf.constant(ranking))
        ranks, others = scored.ranks(protocol, None)
        expected = []
        for row in range(USERS):
            left_out = {*targets[row], *(seen[row] if mask_seen else [])}
            rivals = [item for item in range(SIZE) if item not in left_out]
            own = ranking[row] if ranking.ndim == 2 else ranking
            expected.append(expected_ranks(own, rivals, targets[row]))
            assert others[row] == len(rivals)
        assert_ranks(ranks, expected)


@pytest.mark.parametrize("most_targets", [1, 4])
def test_sampled_ranks_and_losses_equal_numpy(most_targets):
    scores, seen, targets = random_case(most_targets)
    random = np.random.default_rng(4)
    drawn = [
        [
            item
            for item in random.integers(0, SIZE, random.integers(0, 30))
            if item not in targets[r]
        ]
        for r in range(USERS)
    ]
    scored = TargetRanks(make_rows(seen, targets), tf.constant(scores))
    positions = tf.constant(dense(drawn, 30))
    ranks, others = scored.ranks(ProtocolConfig(candidates="sampled"), positions)
    assert others.numpy().tolist() == [len(row) for row in drawn]
    assert_ranks(ranks, [expected_ranks(scores[r], drawn[r], targets[r]) for r in range(USERS)])
    losses = {name: values.numpy() for name, values in scored.losses(positions).items()}
    for row in range(USERS):
        own = [scores[row, item] for item in targets[row] if item >= 0]
        others = scores[row, np.asarray(drawn[row], int)]
        # What the catalog lacks counts as the others' mean.
        scale = len(targets[row]) / max(len(own), 1)
        for name, values in (("positive", -np.asarray(own)), ("negative", others)):
            expected = np.sum(np.logaddexp(0, values)) * (scale if name == "positive" else 1)
            expected = expected if own or name == "negative" else -1
            np.testing.assert_allclose(losses[name][row], expected, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("targets", "expected"), [([3, -1], 2 * np.log1p(np.exp(-0.5))), ([-1], -1)]
)
def test_a_target_that_the_catalog_lacks_is_no_gain_in_the_loss(targets, expected):
    scored = TargetRanks(make_rows([[0]], [targets]), tf.fill([1, SIZE], 0.5))
    losses = scored.losses(tf.constant([[1, 2]]))
    assert losses["positive"].numpy() == pytest.approx([expected])


def test_a_constant_model_ties_with_everything():
    rows = make_rows([[1]], [[7]])
    ranks, _ = TargetRanks(rows, tf.zeros([1, 100])).ranks(ProtocolConfig(), None)
    assert (int(ranks.greater[0, 0]), int(ranks.ties[0, 0])) == (0, 98)


def sampled(**settings):
    return ProtocolConfig(candidates="sampled", **settings)


def test_given_candidates_count_once_and_never_a_target():
    rows = make_rows([[4], [4]], [[2, 5], [2]], [[0, 0, 2, 5, 3, -1, 4], []])
    found = candidates.negatives(rows, make_items([1] * 6), sampled(negatives=2), 1).numpy()
    assert sorted(found[0][found[0] >= 0]) == [0, 3, 4]
    assert (found[1] >= 0).sum() == 2


def test_given_candidates_count_repeatedly_with_replacement_only_and_not_for_mlperf():
    rows = make_rows([[4]], [[2]], [[0, 0, 0, 3]])
    items = make_items([1] * 6)
    for settings, number in (
        ({}, 2),
        ({"replacement": True}, 4),
        ({"replacement": True, "mlperf": True}, 2),
    ):
        found = candidates.negatives(rows, items, sampled(**settings), 1).numpy()
        assert (found >= 0).sum() == number, settings


def test_given_candidates_are_left_aside_where_the_protocol_draws():
    rows = make_rows([[4]], [[2]], [[0]])
    found = candidates.negatives(rows, make_items([1] * 6), sampled(given=False), 1).numpy()
    assert sorted(found[found >= 0]) == [0, 1, 3, 5]


@pytest.mark.seconds
@pytest.mark.parametrize("draw", ["uniform", "popularity"])
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("exclude", ["all", "history"])
def test_draws_keep_to_what_is_allowed(draw, replacement, exclude):
    seen, targets = [[1, 2], [], [0]], [[3, 5], [0, 1], [7]]
    counts = [4, 3, 0, 5, 1, 2, 2, 9, 6, 1]
    protocol = sampled(negatives=4, draw=draw, replacement=replacement, exclude=exclude)
    rows = make_rows(seen, targets)
    found = np.concatenate(
        [candidates.negatives(rows, make_items(counts), protocol, s).numpy() for s in range(100)], 1
    )
    for row in range(3):
        drawn = set(found[row].tolist()) - {-1}
        allowed = set(range(10)) - {*seen[row], *targets[row]}
        if draw == "popularity":
            allowed -= {2}
        assert drawn == allowed
    # Targets that may be drawn take up draws, but never stand in the list twice.
    assert ((found >= 0).all() and exclude == "all") or (found[:, :] == -1).any()
    if not replacement:
        once = candidates.negatives(rows, make_items(counts), protocol, 0).numpy()
        assert all(max(collections.Counter(row[row >= 0]).values()) == 1 for row in once)


def test_draws_do_not_depend_on_the_batch_or_the_order_of_its_rows():
    random = np.random.default_rng(0)
    seen = [random.choice(SIZE, random.integers(0, 20), replace=False).tolist() for _ in range(30)]
    targets = [[int(random.integers(SIZE))] for _ in range(30)]
    users = [f"user {number}" for number in range(30)]
    items = make_items(random.integers(0, 9, SIZE))
    order = random.permutation(30)
    for draw in ("uniform", "popularity"):
        for replacement in (False, True):
            protocol = sampled(negatives=9, draw=draw, replacement=replacement)

            def drawn(chosen, protocol=protocol):
                parts = ([values[i] for i in chosen] for values in (seen, targets))
                rows = make_rows(*parts, users=[users[i] for i in chosen])
                return np.sort(candidates.negatives(rows, items, protocol, 5).numpy(), axis=1)

            whole = drawn(range(30))
            np.testing.assert_array_equal(drawn(order), whole[order])
            for one in (0, 17):
                np.testing.assert_array_equal(drawn([one]), whole[one : one + 1])
            assert len(np.unique(whole, axis=0)) > 20
