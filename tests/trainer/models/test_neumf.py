"""NeuMF against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from schema import features
from tests.support import planted
from trainer.config.neumf import NeuMFConfig
from trainer.data.batches import NEGATIVES, POSITIVE
from trainer.data.catalog import CatalogTensors
from trainer.models.base import Recommender
from trainer.models.neumf import NeuMF
from trainer.training.train import train

USERS, ITEMS = 7, 9


def build(parts=("gmf", "mlp"), precision="float32", seed=3, **overrides):
    values = {"embedding_dim": 3, "hidden_units": (8, 6, 4), "l2_mlp": (0.0, 0.0, 0.0), **overrides}
    tf.keras.utils.set_random_seed(seed)
    catalog = CatalogTensors(planted.make_catalog(ITEMS))
    return NeuMF(NeuMFConfig(**values), USERS, catalog, parts, precision)


def all_scores(model):
    embeddings = model.user_embedding({features.USER_INDEX: tf.range(USERS)})
    return model.score_all(embeddings, model.item_embedding(tf.range(ITEMS))).numpy()


def weights_of(model):
    return {variable.name.split(":")[0]: variable.numpy() for variable in model.variables}


def batch(users, positives, negatives):
    return {
        features.USER_INDEX: tf.constant(users),
        POSITIVE: tf.constant(positives),
        NEGATIVES: tf.constant(negatives),
    }


def logits_by_numpy(model, user, item):
    """He et al. 2017, equations 8 to 12, on the concatenated MLP input."""
    weights = {variable.name.split(":")[0]: variable.numpy() for variable in model.variables}
    row_u, row_i = weights["user_embedding"][user], weights["item_embedding"][item]
    hidden = np.concatenate([row_u[3:], row_i[3:]]) @ weights["mlp_1_kernel"]
    hidden = np.maximum(hidden + weights["mlp_1_bias"], 0)
    hidden = np.maximum(hidden @ weights["mlp_2/kernel"] + weights["mlp_2/bias"], 0)
    joined = np.concatenate([row_u[:3] * row_i[:3], hidden])
    return joined @ weights["prediction/kernel"][:, 0] + weights["prediction/bias"][0]


def test_scores_equal_the_concatenated_network():
    model = build()
    embeddings = model.user_embedding({features.USER_INDEX: tf.range(USERS)})
    scores = model.score_all(embeddings, model.item_embedding(tf.range(ITEMS)))
    expected = [[logits_by_numpy(model, user, item) for item in range(ITEMS)] for user in range(7)]
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)


# With few pairs the pairs' items are encoded, with many the whole catalog once.
@pytest.mark.parametrize("repeats", [1, 5])
def test_loss_is_the_mean_log_loss_of_positives_and_negatives(repeats):
    model = build()
    users, positives = [1, 5] * repeats, [2, 3] * repeats
    negatives = [[4, 8], [0, 1]] * repeats
    losses = []
    for user, positive, others in zip(users, positives, negatives, strict=True):
        chance = 1 / (1 + np.exp(-logits_by_numpy(model, user, positive)))
        losses.append(-np.log(chance))
        for item in others:
            chance = 1 / (1 + np.exp(-logits_by_numpy(model, user, item)))
            losses.append(-np.log(1 - chance))
    loss = model.compute_loss(batch(users, positives, negatives), training=True)
    np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-5)


def test_sigmoid_loss_equals_the_model_gardens_two_column_softmax():
    logits = tf.random.stateless_normal([50], [1, 2])
    labels = tf.cast(tf.range(50) % 3 == 0, tf.int32)
    columns = tf.stack([tf.zeros_like(logits), logits], axis=1)
    softmax = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, columns)
    sigmoid = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, tf.float32), logits)
    np.testing.assert_allclose(softmax, sigmoid, rtol=1e-5, atol=1e-6)


def test_regularization_is_the_weighted_sum_of_squares():
    model = build(l2_mf=0.5, l2_mlp=(0.75, 0.25, 0.125))
    weights = {variable.name.split(":")[0]: variable.numpy() for variable in model.variables}
    tables = np.concatenate([weights["user_embedding"], weights["item_embedding"]])
    expected = (
        0.5 * np.square(tables[:, :3]).sum()
        + 0.75 * np.square(tables[:, 3:]).sum()
        + 0.25 * np.square(weights["mlp_1_kernel"]).sum()
        + 0.125 * np.square(weights["mlp_2/kernel"]).sum()
    )
    np.testing.assert_allclose(sum(model.losses), expected, rtol=1e-5)
    assert not build().losses


def test_gmf_is_the_weighted_product_of_its_rows():
    model = build(parts=("gmf",))
    weights = weights_of(model)
    assert weights["user_embedding"].shape == (USERS, 3)
    products = weights["user_embedding"][:, None] * weights["item_embedding"][None, :ITEMS]
    expected = products @ weights["prediction/kernel"][:, 0] + weights["prediction/bias"]
    np.testing.assert_allclose(all_scores(model), expected, rtol=1e-5, atol=1e-6)


def test_mlp_alone_has_no_product():
    model = build(parts=("mlp",))
    weights = weights_of(model)
    assert weights["user_embedding"].shape == (USERS, 4)
    pairs = np.concatenate([weights["user_embedding"][2], weights["item_embedding"][5]])
    hidden = np.maximum(pairs @ weights["mlp_1_kernel"] + weights["mlp_1_bias"], 0)
    hidden = np.maximum(hidden @ weights["mlp_2/kernel"] + weights["mlp_2/bias"], 0)
    expected = hidden @ weights["prediction/kernel"][:, 0] + weights["prediction/bias"][0]
    np.testing.assert_allclose(all_scores(model)[2, 5], expected, rtol=1e-5)


@pytest.mark.parametrize("parts", [("gmf",), ("mlp",), ("gmf", "mlp")])
def test_items_are_alike_by_what_the_prediction_reads_of_gmf(parts):
    model = build(parts=parts)
    weights = weights_of(model)
    compared = weights["item_embedding"][:ITEMS, :3] * weights["prediction/kernel"][:3, 0]
    if parts == ("mlp",):
        compared = weights["item_embedding"][:ITEMS] @ weights["mlp_1_kernel"][4:]
    unit = compared / np.linalg.norm(compared, axis=1, keepdims=True)
    alike = model.item_similarity(tf.constant([4, 0]), model.item_embedding(tf.range(ITEMS)))
    np.testing.assert_allclose(alike, unit[[4, 0]] @ unit.T, rtol=1e-5, atol=1e-6)


@pytest.mark.seconds
def test_similar_items_are_of_the_same_taste_and_not_merely_popular(tmp_path):
    dataset = planted.make_skewed_dataset()
    settings = NeuMFConfig(embedding_dim=8, hidden_units=(32, 16, 8), l2_mlp=(0.0, 0.0, 0.0))
    config = planted.CONFIGS["neumf"].replace(epochs=4, neumf=settings)
    model = train(config, planted.EVALUATION, dataset, str(tmp_path)).model
    size = dataset.catalog.size
    everything = tf.range(size)
    embeddings = model.item_embedding(everything)
    group, counts = dataset.catalog.genres.argmax(axis=1), dataset.train.counts(size)
    seen = np.zeros((len(dataset.train.user_index), size))
    for row, items in enumerate(np.split(dataset.train.positions, dataset.train.splits[1:-1])):
        seen[row, items] = 1
    together, by_chance = seen.T @ seen, np.outer(counts, counts) / len(seen)

    def listed(similarity):
        """The share of neighbours of an item's own group, and how much oftener than by chance
        users pick both.
        """
        scores = np.array(similarity, float)
        np.fill_diagonal(scores, -np.inf)
        best = np.argsort(-scores, axis=1)[:, :5]
        pairs = np.repeat(np.arange(size), 5), best.ravel()
        same = (group[pairs[0]] == group[pairs[1]]).mean()
        return same, together[pairs].sum() / by_chance[pairs].sum()

    same, lift = listed(model.item_similarity(everything, embeddings))
    # Four groups of equal size: a quarter by chance.
    assert same > 0.75
    _, lift_of_popular = listed(np.tile(counts, (size, 1)))
    _, lift_of_whole_embeddings = listed(Recommender.item_similarity(model, everything, embeddings))
    assert lift > 1.25 * lift_of_whole_embeddings > 1.25 * lift_of_popular


@pytest.mark.parametrize("alpha", [0.5, 0.2, 1.0])
def test_the_fused_model_scores_as_the_weighted_sum_of_its_halves(alpha):
    gmf, mlp = build(parts=("gmf",), seed=4), build(parts=("mlp",), seed=5)
    for half in (gmf, mlp):
        half._head.bias.assign([0.3])
    fused = build()
    fused.fuse(gmf, mlp, alpha)
    expected = alpha * all_scores(gmf) + (1 - alpha) * all_scores(mlp)
    np.testing.assert_allclose(all_scores(fused), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("precision", "step"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_less_precision_rounds_the_products_and_keeps_float32_weights(precision, step):
    exact, rounded = all_scores(build()), all_scores(build(precision=precision))
    error = np.abs(rounded - exact).max() / np.abs(exact).max()
    assert step / 100 < error < 10 * step
    model = build(precision=precision)
    assert {weight.dtype for weight in model.trainable_variables} == {tf.float32}
    assert rounded.dtype == np.float32
