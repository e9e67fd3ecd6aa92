"""Validation with several targets a user, against loops in NumPy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from schema.errors import UserError
from tests.support import planted
from tests.support.toy_model import Untrained
from trainer.config.evaluation import EvaluationConfig, ProtocolConfig
from trainer.data.interactions import ABSENT
from trainer.data.negative_sampling import UnseenSampler
from trainer.training import validation

USERS, ITEMS, K = 23, 40, 5
EVALUATION = EvaluationConfig(
    k=K,
    protocols={
        "full": ProtocolConfig(),
        "unmasked": ProtocolConfig(mask_seen=False),
        "sampled": ProtocolConfig(candidates="sampled", negatives=12),
    },
)


class Fixed(Untrained):
    """Scores, which are ratings too, given as a table; counts the users that it encodes."""

    predicts_ratings = True

    def __init__(self, table):
        super().__init__(None)
        self.table = tf.constant(table, tf.float32)
        self.encoded = tf.Variable(0, trainable=False)

    def user_embedding(self, users, training=False):
        self.encoded.assign_add(tf.size(users["user_index"]))
        return tf.gather(self.table, users["user_index"])

    def item_embedding(self, positions, training=False):
        return tf.cast(positions, tf.float32)[:, None]

    def score(self, user_embeddings, item_embeddings):
        return tf.gather(user_embeddings, tf.cast(item_embeddings[..., 0], tf.int32), batch_dims=1)

    def score_all(self, user_embeddings, item_embeddings):
        return tf.gather(user_embeddings, tf.cast(item_embeddings[:, 0], tf.int32), axis=1)

    def predict_ratings(self, user_embeddings, item_embeddings):
        return tf.gather(user_embeddings, tf.cast(item_embeddings[:, 0], tf.int32), batch_dims=1)


@pytest.fixture
def table():
    # Few different scores, so that many are equal.
    return np.random.default_rng(1).integers(0, 9, (USERS, ITEMS)).astype(np.float32)


@pytest.fixture
def histories(monkeypatch):
    # Several users, and several chunks of targets, at a time.
    monkeypatch.setattr(validation, "_ROWS_AT_A_TIME", 7)
    random = np.random.default_rng(0)
    drawn = [random.permutation(ITEMS)[:16] for _ in range(USERS)]
    targets = [part[6 : 6 + user % 11].tolist() for user, part in enumerate(drawn)]
    targets[4].insert(1, ABSENT)
    return planted.make_histories([part[:6] for part in drawn], targets)


def parts(values, splits):
    return np.split(values, splits[1:-1])


def expected(table, histories, candidates):
    """HR and NDCG at K of every target among its row's candidates, over orders of ties."""
    hits, gains = [], []
    for user, targets in enumerate(parts(histories.targets, histories.target_splits)):
        others = table[user, candidates(user)]
        for target in targets:
            if target == ABSENT:
                hits.append(0.0)
                gains.append(0.0)
                continue
            greater = (others > table[user, target]).sum()
            ties = (others == table[user, target]).sum()
            places = np.arange(greater, greater + ties + 1)
            hits.append(np.mean(places < K))
            gains.append(np.mean(np.where(places < K, 1 / np.log2(places + 2), 0)))
    return {"hr": np.mean(hits), "ndcg": np.mean(gains)}


def known(histories, user):
    own = parts(histories.positions, histories.splits)[user]
    return {*own, *parts(histories.targets, histories.target_splits)[user]}


@pytest.mark.parametrize("which", ["full", "unmasked"])
def test_full_ranks_each_target_among_all_but_history_and_targets(table, histories, which):
    model = Fixed(table)
    measure = validation.Validator(model, histories, planted.make_catalog(ITEMS), EVALUATION, which)
    candidates = []
    for user, targets in enumerate(parts(histories.targets, histories.target_splits)):
        left_out = known(histories, user) if which == "full" else targets
        candidates.append([item for item in range(ITEMS) if item not in left_out])
    assert measure() == pytest.approx(expected(table, histories, candidates.__getitem__))
    assert int(model.encoded) == USERS


def test_sampled_ranks_each_target_among_the_rows_negatives(table, histories):
    catalog = planted.make_catalog(ITEMS)
    model = Fixed(table)
    measure = validation.Validator(model, histories, catalog, EVALUATION, "sampled")
    sampler = UnseenSampler(histories.with_targets(), ITEMS)
    rows, seed = tf.range(USERS), tf.constant([EVALUATION.seed, 0], tf.int64)
    negatives = sampler(rows, rows, 12, seed).numpy()
    for user in range(USERS):
        assert not known(histories, user) & {*negatives[user].tolist()}
    assert measure() == pytest.approx(expected(table, histories, negatives.__getitem__))
    assert int(model.encoded) == USERS


@pytest.mark.parametrize("which", ["full", "sampled"])
def test_a_constant_model_scores_as_chance(histories, which):
    catalog = planted.make_catalog(ITEMS)
    table = np.zeros((USERS, ITEMS))
    measured = validation.Validator(Fixed(table), histories, catalog, EVALUATION, which)()
    sizes = [
        12 if which == "sampled" else ITEMS - len(known(histories, u) - {ABSENT})
        for u in range(USERS)
    ]
    chance = [
        0.0 if target == ABSENT else K / (sizes[user] + 1)
        for user, target in zip(histories.target_rows, histories.targets, strict=True)
    ]
    assert measured["hr"] == pytest.approx(np.mean(chance))


def test_ratings_are_compared_over_all_rated_targets(table, histories):
    unrated = histories.target_ratings.copy()
    unrated[::5] = np.nan
    histories = dataclasses.replace(histories, target_ratings=unrated)
    model = Fixed(table)
    rated = np.isfinite(unrated) & (histories.targets != ABSENT)
    errors = (table[histories.target_rows, histories.targets] - unrated)[rated]
    assert 0 < len(errors) < len(histories.targets)
    assert validation.RatingValidator(model, histories)() == pytest.approx(
        {"rmse": np.sqrt(np.mean(errors**2)), "mae": np.mean(np.abs(errors))}
    )


def test_a_split_without_ratings_is_refused(table):
    histories = planted.make_histories([[0]], [[ABSENT]])
    with pytest.raises(UserError, match="no rated targets"):
        validation.RatingValidator(Fixed(table), histories)
