"""Popularity, item k-nearest-neighbors, EASE, iALS and MF against NumPy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from schema import features
from schema.errors import UserError
from tests.support import planted
from trainer.config.baselines import EASEConfig, IALSConfig, ItemKNNConfig, MFConfig
from trainer.data.batches import NEGATIVES, POSITIVE
from trainer.data.catalog import CatalogTensors
from trainer.models.ials import IALS
from trainer.models.item_based import ease as ease_module
from trainer.models.item_based.ease import EASE
from trainer.models.item_based.itemknn import ItemKNN
from trainer.models.mf import MF
from trainer.models.popularity import Popularity

ITEMS = 8
# The last item has no interactions, the last user none either; users come in
# another order than their indices.
LISTS = [[0, 1, 2], [1, 2, 3, 4, 5, 6], [], [0], [4, 2], [5, 6, 0, 1]]
INDEX = [2, 0, 5, 1, 3, 4]
USERS = len(LISTS) + 1
HISTORIES = dataclasses.replace(planted.make_histories(LISTS), user_index=np.asarray(INDEX))
COUNT = len(HISTORIES.positions)


def matrix():
    """The interactions, float64 [USERS, ITEMS], by user index."""
    seen = np.zeros((USERS, ITEMS))
    for index, items in zip(INDEX, LISTS, strict=True):
        seen[index, items] = 1.0
    return seen


def tensors():
    return CatalogTensors(planted.make_catalog(ITEMS))


def scores(model):
    users = model.user_embedding({features.USER_INDEX: tf.range(USERS)})
    return model.score_all(users, model.item_embedding(tf.range(ITEMS))).numpy()


def alike(model, position):
    embeddings = model.item_embedding(tf.range(ITEMS))
    return model.item_similarity(tf.constant([position]), embeddings).numpy()[0]


def test_popularity_scores_by_the_share_of_interactions():
    model = Popularity(tensors())
    shares = matrix().sum(axis=0) / COUNT
    (loss,) = model.solve(HISTORIES)
    np.testing.assert_allclose(scores(model), np.tile(shares, (USERS, 1)), rtol=1e-6)
    assert loss == pytest.approx(-np.log(shares[HISTORIES.positions]).mean())
    np.testing.assert_array_equal(np.argsort(-alike(model, 3), kind="stable")[:3], [0, 1, 2])


@pytest.mark.parametrize("l2", [0.5, 20.0])
def test_ease_is_the_constrained_least_squares(l2):
    model = EASE(EASEConfig(l2=l2), USERS, COUNT, tensors())
    (loss,) = model.solve(HISTORIES)
    seen = matrix()
    weights = np.zeros((ITEMS, ITEMS))
    for item in range(ITEMS):
        others = np.delete(np.arange(ITEMS), item)
        x = seen[:, others]
        weights[others, item] = np.linalg.solve(
            x.T @ x + l2 * np.eye(ITEMS - 1), x.T @ seen[:, item]
        )
    np.testing.assert_allclose(scores(model), seen @ weights, rtol=1e-4, atol=1e-5)
    objective = np.square(seen - seen @ weights).sum() + l2 * np.square(weights).sum()
    assert loss == pytest.approx(objective / COUNT, rel=1e-4)
    np.testing.assert_allclose(alike(model, 2), weights[2], rtol=1e-4, atol=1e-5)


def test_ease_names_the_memory_that_it_lacks(monkeypatch):
    monkeypatch.setattr(ease_module, "usable_memory", lambda: 2**20)
    catalog = tensors()
    catalog.size = 20_000
    with pytest.raises(UserError, match=r"ease on 20,000 items needs 7\.5 GiB .* 0\.0 GiB may"):
        EASE(EASEConfig(), USERS, COUNT, catalog)


@pytest.mark.parametrize(("neighbors", "shrinkage"), [(2, 0.0), (2, 3.0), (100, 3.0)])
def test_itemknn_sums_the_similarity_to_the_nearest_items(neighbors, shrinkage):
    model = ItemKNN(
        ItemKNNConfig(neighbors=neighbors, shrinkage=shrinkage), USERS, COUNT, tensors()
    )
    (loss,) = model.solve(HISTORIES)
    seen = matrix()
    common = seen.T @ seen
    root = np.sqrt(np.diag(common))
    similarity = common / np.maximum(np.outer(root, root) + shrinkage, 1e-9)
    np.fill_diagonal(similarity, 0.0)
    kept = np.minimum(neighbors, ITEMS - 1)
    least = -np.sort(-similarity, axis=1)[:, kept - 1]
    found = tf.transpose(model.weigh(tf.eye(ITEMS))).numpy()
    # Which of equally near items are taken is open, how near they are is not.
    np.testing.assert_allclose(
        -np.sort(-found, axis=1)[:, :kept], -np.sort(-similarity, axis=1)[:, :kept], rtol=1e-5
    )
    assert (found[similarity > least[:, None] + 1e-6] > 0).all()
    np.testing.assert_allclose(found[found > 0], similarity[found > 0], rtol=1e-5)
    np.testing.assert_allclose(scores(model), seen @ found.T, rtol=1e-5, atol=1e-6)
    assert loss == 0.0


def ials(**overrides):
    tf.keras.utils.set_random_seed(5)
    values = {"embedding_dim": 4, "stddev": 1.0, "unobserved_weight": 0.4, "l2": 0.2}
    return IALS(IALSConfig(**{**values, **overrides}), USERS, tensors())


def ials_by_numpy(items, dim, weight, l2, exponent):
    """One epoch of Rendle et al. 2022, equations 5 and 6, and the loss after it."""
    seen = matrix()

    def side(seen, others):
        active = (seen.sum(axis=0) > 0).sum()
        solved = []
        for row in seen:
            system = weight * others.T @ others + others.T @ (row[:, None] * others)
            penalty = l2 * (row.sum() + weight * active) ** exponent
            right = others.T @ row
            solved.append(np.linalg.solve(system + penalty * np.eye(dim), right))
        return np.asarray(solved)

    users = side(seen, items)
    items = side(seen.T, users)
    predicted = users @ items.T
    loss = (seen * np.square(predicted - 1)).sum() + weight * np.square(predicted).sum()
    for table, here in ((users, seen), (items, seen.T)):
        active = (here.sum(axis=0) > 0).sum()
        penalties = l2 * (here.sum(axis=1) + weight * active) ** exponent
        loss += penalties @ np.square(table).sum(axis=1)
    return predicted, loss / COUNT


# Rows shorter than the width take the small system, the others the large one.
@pytest.mark.parametrize("dim", [2, 4, 16])
@pytest.mark.parametrize(
    "options", [{}, {"unobserved_weight": 2.0}, {"l2": 1.5}, {"frequency_exponent": 0.3}]
)
def test_ials_solves_each_side_exactly(dim, options):
    model = ials(embedding_dim=dim, **options)
    start = model.item_embedding(tf.range(ITEMS)).numpy().astype(np.float64)
    loss = next(model.solve(HISTORIES))
    expected, expected_loss = ials_by_numpy(
        start,
        dim,
        options.get("unobserved_weight", 0.4),
        options.get("l2", 0.2),
        options.get("frequency_exponent", 1.0),
    )
    np.testing.assert_allclose(scores(model), expected, rtol=1e-3, atol=1e-4)
    assert loss == pytest.approx(expected_loss, rel=1e-4)


def test_ials_starts_with_embeddings_of_the_given_length():
    tf.keras.utils.set_random_seed(5)
    settings = IALSConfig(embedding_dim=64, stddev=0.5)
    model = IALS(settings, 500, tensors())
    lengths = np.linalg.norm(model.user_embedding({features.USER_INDEX: tf.range(500)}), axis=1)
    assert np.sqrt(np.square(lengths).mean()) == pytest.approx(0.5, rel=0.02)


def test_ials_does_not_depend_on_how_rows_are_batched(monkeypatch):
    whole, parts = ials(), ials()
    next(whole.solve(HISTORIES))
    monkeypatch.setattr("trainer.models.ials._FLOATS_AT_A_TIME", 40)
    next(parts.solve(HISTORIES))
    np.testing.assert_allclose(scores(whole), scores(parts), rtol=1e-4, atol=1e-5)


def mf(**overrides):
    tf.keras.utils.set_random_seed(5)
    model = MF(MFConfig(**{"embedding_dim": 3, "stddev": 0.5, **overrides}), USERS, tensors())
    generator = np.random.default_rng(1)
    for variable in model.variables:
        if "bias" in variable.name:
            variable.assign(generator.normal(size=variable.shape))
    return model


def parts_of_mf(model):
    weights = {variable.name.split(":")[0]: variable.numpy() for variable in model.variables}
    return (
        *(weights["user_embedding"], weights["item_embedding"][:ITEMS]),
        *(weights["user_bias"][:, 0], weights["item_bias"][:ITEMS, 0], weights["bias"][0]),
    )


def test_mf_scores_by_dot_product_and_biases():
    model = mf()
    users, items, user_bias, item_bias, bias = parts_of_mf(model)
    expected = users @ items.T + user_bias[:, None] + item_bias + bias
    np.testing.assert_allclose(scores(model), expected, rtol=1e-5, atol=1e-6)
    unit = items / np.linalg.norm(items, axis=1, keepdims=True)
    np.testing.assert_allclose(alike(model, 4), unit @ unit[4], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_mf_loss_is_log_loss_and_the_squares_of_what_an_example_touches(l2):
    model = mf(l2=l2)
    users, items, user_bias, item_bias, bias = parts_of_mf(model)
    losses = []
    for user, examples in ((1, [2, 4, 7]), (5, [3, 0, 0])):
        for number, item in enumerate(examples):
            logit = users[user] @ items[item] + user_bias[user] + item_bias[item] + bias
            log_loss = np.log1p(np.exp(-logit if number == 0 else logit))
            squares = (users[user] ** 2).sum() + (items[item] ** 2).sum()
            squares += user_bias[user] ** 2 + item_bias[item] ** 2
            losses.append(log_loss + 0.5 * l2 * squares)
    batch = {
        features.USER_INDEX: tf.constant([1, 5]),
        POSITIVE: tf.constant([2, 3]),
        NEGATIVES: tf.constant([[4, 7], [0, 0]]),
    }
    np.testing.assert_allclose(model.compute_loss(batch, True), np.mean(losses), rtol=1e-5)


def test_mf_starts_with_values_of_the_given_size():
    tf.keras.utils.set_random_seed(5)
    model = MF(MFConfig(embedding_dim=64, stddev=0.25), 500, tensors())
    embeddings = model.user_embedding({features.USER_INDEX: tf.range(500)}).numpy()
    assert embeddings[:, :64].std() == pytest.approx(0.25, rel=0.02)
    items = model.item_embedding(tf.range(ITEMS)).numpy()
    assert np.abs(embeddings[:ITEMS, :64] - items[:, :64]).min() > 0


@pytest.mark.parametrize(
    ("settings", "values", "message"),
    [
        (MFConfig, {"l2": -1.0}, "l2: expected 0 or more, got -1"),
        (MFConfig, {"stddev": 0.0}, "stddev: expected > 0, got 0"),
        (IALSConfig, {"l2": 0.0}, "l2: expected > 0, got 0"),
        (IALSConfig, {"frequency_exponent": 1.5}, r"frequency_exponent: expected in \[0, 1\]"),
        (EASEConfig, {"l2": 0.0}, "l2: expected > 0, got 0"),
        (ItemKNNConfig, {"neighbors": 0}, "neighbors: expected at least 1, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, values, message):
    with pytest.raises(UserError, match=message):
        settings(**values)
