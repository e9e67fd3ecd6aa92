"""HR and NDCG of MLPerf's rules equal the TensorFlow Model Garden's, stated independently.

compute_top_k_and_ndcg of official/recommendation/neumf_model.py: a row of logits
holds the negatives and, last, the true item; repetitions are set to the lowest
number; the position of the true item in the descending order decides.
"""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.evaluation import ProtocolConfig
from trainer.ops import candidates
from trainer.ops.draws import fingerprint
from trainer.ops.ranks import TargetRanks

USERS, SIZE, K = 50, 1500, 10


def compute_top_k_and_ndcg(logits, repeated, k):
    """Hits, gains and weights of rows of logits, the true item the last of each."""
    logits = np.where(repeated, np.finfo(np.float32).min, logits)
    order = np.argsort(-logits, axis=1, kind="stable")
    position = np.argmax(order == logits.shape[1] - 1, axis=1)
    hit = position < k
    gain = np.log(2) / np.log(position + 2) * hit
    return hit, gain, repeated.sum(axis=1) != logits.shape[1] - 1


def repetitions(items):
    """Marks an item that stood in its row before, the true item counting as first."""
    flags = np.zeros(items.shape, bool)
    for row, flag in zip(items, flags, strict=True):
        seen = {row[-1]}
        for column, item in enumerate(row[:-1]):
            flag[column] = item in seen
            seen.add(item)
    return flags


def ours(scores, targets, negatives):
    rows = candidates.HeldOutBatch(
        users=fingerprint(tf.constant([f"u{row}" for row in range(USERS)])),
        seen=tf.fill([USERS, 1], -1),
        targets=tf.constant(targets[:, None], tf.int32),
        present=tf.fill([USERS, 1], True),
        given=tf.constant(negatives, tf.int32),
        has_given=tf.fill([USERS], True),
    )
    items = candidates.CatalogWeights(*[tf.zeros([SIZE], tf.int64)] * 3)
    protocol = ProtocolConfig(
        candidates="sampled", negatives=negatives.shape[1], replacement=True, mlperf=True
    )
    found = candidates.negatives(rows, items, protocol, seed=0)
    ranks, others = TargetRanks(rows, tf.constant(scores)).ranks(protocol, found)
    return ranks.greater.numpy()[:, 0], ranks.ties.numpy()[:, 0], others.numpy() > 0


def case(negatives, scores):
    random = np.random.default_rng(negatives)
    targets = random.integers(0, SIZE, USERS)
    # Few items, so that many are drawn twice and some are the true one.
    drawn = random.integers(0, SIZE, (USERS, negatives)) // 3 * 3
    drawn[random.random(drawn.shape) < 0.02] = 7
    drawn[:10, 4] = targets[:10]
    drawn[0] = targets[0]
    # Half of the true items among the first.
    half = np.arange(USERS // 2)
    scores[half, targets[half]] += np.round(scores.std() * 2.5)
    logits = np.take_along_axis(scores, np.column_stack([drawn, targets]), axis=1)
    repeated = repetitions(np.column_stack([drawn, targets]))
    assert repeated[1:, :-1].any(axis=1).all()
    return targets, drawn, logits, repeated


@pytest.mark.parametrize("negatives", [99, 999])
def test_without_equal_scores_the_figures_are_the_same(negatives):
    scores = np.random.default_rng(1).normal(size=(USERS, SIZE)).astype(np.float32)
    targets, drawn, logits, repeated = case(negatives, scores)
    hit, gain, weight = compute_top_k_and_ndcg(logits, repeated, K)
    greater, ties, weights = ours(scores, targets, drawn)
    assert (ties == 0).all()
    np.testing.assert_array_equal(greater < K, hit)
    np.testing.assert_allclose((greater < K) / np.log2(greater + 2), gain)
    np.testing.assert_array_equal(weights, weight)
    assert 0 < hit[1:].sum() < USERS - 1
    assert not weight[0]


@pytest.mark.parametrize("negatives", [99, 999])
def test_equal_scores_are_the_gardens_under_the_pessimistic_rule(negatives):
    """A stable descending sort puts the true item, which is last, behind its equals."""
    scores = np.random.default_rng(2).integers(0, 60, (USERS, SIZE))
    scores = scores.astype(np.float32)
    targets, drawn, logits, repeated = case(negatives, scores)
    hit, gain, weight = compute_top_k_and_ndcg(logits, repeated, K)
    greater, ties, weights = ours(scores, targets, drawn)
    assert ties.any()
    position = greater + ties
    np.testing.assert_array_equal((position < K)[weight], hit[weight])
    np.testing.assert_allclose(((position < K) / np.log2(position + 2))[weight], gain[weight])
    np.testing.assert_array_equal(weights, weight)
    assert 0 < hit[1:].sum() < USERS - 1
