"""The two-tower model against NumPy."""

import dataclasses
import itertools

import numpy as np
import planted
import pytest
import tensorflow as tf

from schema import features
from schema.errors import UserError
from trainer.catalog import CatalogTensors
from trainer.config import TwoTowerConfig
from trainer.input import HISTORY, NEGATIVES, POSITIVE, user_tensors
from trainer.models.two_tower import TwoTower
from trainer.two_tower_config import SelfSupervisionConfig, SoftmaxConfig

ITEMS = 6
PROBABILITY = np.asarray([0.4, 0.3, 0.1, 0.1, 0.05, 0.05], np.float32)


def build(catalog=None, seed=0, **overrides):
    """Four users and one out-of-vocabulary row."""
    tf.keras.utils.set_random_seed(3)
    settings = TwoTowerConfig(**{"embedding_dim": 4, "feature_dim": 2, **overrides})
    tensors = CatalogTensors(catalog or planted.make_catalog(ITEMS))
    return TwoTower(settings, 5, (3, 8, 2), tensors, PROBABILITY, seed, 1)


def batch(users, positives):
    context = tf.ones([len(users), 4], tf.int32)
    return {**user_tensors(tf.constant(users), context), POSITIVE: tf.constant(positives)}


def logits_by_numpy(model, inputs, candidates, temperature=0.1):
    users = model.encode_users(inputs).numpy().astype(np.float64)
    items = model.encode_items(tf.constant(candidates)).numpy().astype(np.float64)
    return users @ items.T / temperature


def softmax_by_numpy(logits, candidates, hits=False, hardest=None):
    """Mean loss of each row picking the candidate of its own number."""
    losses = []
    for row, own in enumerate(candidates[: len(logits)]):
        # An accidental hit is another candidate that is the row's own item.
        others = [c for c, item in enumerate(candidates) if c != row and (hits or item != own)]
        others = sorted(others, key=lambda c: -logits[row, c])[:hardest]
        losses.append(np.log(np.exp(logits[row, [row, *others]]).sum()) - logits[row, row])
    return np.mean(losses)


POSITIVES = [5, 0, 5, 2]


@pytest.mark.parametrize("log_q", ["frequency", "none"])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_loss_is_the_corrected_softmax_without_accidental_hits(log_q, temperature):
    model = build(softmax=SoftmaxConfig(logq=log_q), temperature=temperature)
    inputs = batch([0, 1, 2, 3], POSITIVES)
    logits = logits_by_numpy(model, inputs, POSITIVES, temperature)
    if log_q == "frequency":
        logits -= np.log(PROBABILITY[POSITIVES])
    loss = model.compute_loss(inputs, training=True)
    np.testing.assert_allclose(loss, softmax_by_numpy(logits, POSITIVES), rtol=1e-4)


def test_accidental_hits_count_where_they_are_not_removed():
    model = build(softmax=SoftmaxConfig(logq="none", remove_accidental_hits=False), temperature=2.0)
    inputs = batch([0, 1, 2, 3], POSITIVES)
    logits = logits_by_numpy(model, inputs, POSITIVES, 2.0)
    loss = model.compute_loss(inputs, training=True)
    np.testing.assert_allclose(loss, softmax_by_numpy(logits, POSITIVES, hits=True), rtol=1e-4)
    assert softmax_by_numpy(logits, POSITIVES) < float(loss) - 0.01


@pytest.mark.parametrize("hardest", [1, 2, 9])
def test_hard_negatives_are_the_best_scored_ones(hardest):
    positives = [5, 0, 4, 2]
    model = build(softmax=SoftmaxConfig(logq="none", hard_negatives=hardest))
    inputs = batch([0, 1, 2, 3], positives)
    logits = logits_by_numpy(model, inputs, positives)
    loss = model.compute_loss(inputs, training=True)
    np.testing.assert_allclose(
        loss, softmax_by_numpy(logits, positives, hardest=hardest), rtol=1e-4
    )


def test_streaming_correction_follows_the_gaps_between_occurrences():
    model = build(softmax=SoftmaxConfig(logq="streaming", streaming_rate=0.25))
    for positives in ([1, 2, 3, 1], [1, 1, 3, 4]):
        model.compute_loss(batch([0, 1, 2, 3], positives), training=True)
    loss = model.compute_loss(batch([0, 1, 2, 3], POSITIVES), training=True)
    # Items 5 and 0 came first at step 3, item 2 at steps 1 and 3.
    gaps = np.asarray([3, 3, 3, 0.75 * 1 + 0.25 * 2])
    logits = logits_by_numpy(model, batch([0, 1, 2, 3], POSITIVES), POSITIVES)
    logits -= np.log(1 / gaps / 4)
    np.testing.assert_allclose(loss, softmax_by_numpy(logits, POSITIVES), rtol=1e-4)
    before = model.get_weights()
    model.compute_loss(batch([0, 1, 2, 3], POSITIVES))
    for left, right in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_model_with_restored_weights_goes_on_with_the_same_draws_and_estimates():
    def make():
        softmax = SoftmaxConfig(logq="streaming", uniform_negatives=3)
        return build(softmax=softmax, ssl=SelfSupervisionConfig(pattern="rfm"), seed=5)

    first, second = make(), make()
    for positives in ([1, 2, 3, 1], [1, 1, 3, 4]):
        first.compute_loss(batch([0, 1, 2, 3], positives), training=True)
    second.set_weights(first.get_weights())
    inputs = batch([0, 1, 2, 3], POSITIVES)
    once, again, fresh = (m.compute_loss(inputs, training=True) for m in (first, second, make()))
    assert float(once) == float(again) != float(fresh)


def test_uniform_negatives_join_the_batch_with_the_mixed_probability(monkeypatch):
    model = build(softmax=SoftmaxConfig(uniform_negatives=3))
    drawn = []
    uniform = model._uniform
    monkeypatch.setattr(model, "_uniform", lambda *a: drawn.append(uniform(*a)) or drawn[-1])
    inputs = batch([0, 1, 2, 3], POSITIVES)
    loss = model.compute_loss(inputs, training=True)
    candidates = [*POSITIVES, *drawn[0].numpy().tolist()]
    assert len(candidates) == 7
    logits = logits_by_numpy(model, inputs, candidates)
    logits -= np.log((4 * PROBABILITY[candidates] + 3 / ITEMS) / (4 + 3))
    np.testing.assert_allclose(loss, softmax_by_numpy(logits, candidates), rtol=1e-4)


def test_uniform_draws_cover_the_catalog_and_depend_on_step_and_seed():
    first, second = build(seed=1), build(seed=2)
    drawn = [
        m._uniform(600, tf.constant(step, tf.int64), 0) for m in (first, second) for step in (1, 2)
    ]
    for left, right in itertools.combinations(drawn, 2):
        assert (left.numpy() != right.numpy()).any()
    counts = np.bincount(np.concatenate(drawn), minlength=ITEMS)
    assert (np.abs(counts - 400) < 5 * np.sqrt(400)).all()


@pytest.mark.parametrize("loss", ["cross_entropy", "max_margin", "bpr"])
# With few pairs the pairs' items are encoded, with many the whole catalog once.
@pytest.mark.parametrize("users", [[3], [0, 1, 2, 3]])
def test_sampled_losses_compare_positives_with_their_negatives(loss, users):
    model = build(loss=loss, temperature=0.5, margin=0.75)
    negatives = [[1, 4], [3, 2], [0, 1], [5, 5]][: len(users)]
    inputs = batch(users, POSITIVES[: len(users)])
    inputs[NEGATIVES] = tf.constant(negatives)
    logits = logits_by_numpy(model, inputs, list(range(ITEMS)), 0.5)
    right = np.asarray([logits[r, item] for r, item in enumerate(POSITIVES[: len(users)])])[:, None]
    wrong = np.asarray([logits[r, items] for r, items in enumerate(negatives)])
    expected = {
        "cross_entropy": np.concatenate([np.log1p(np.exp(-right)), np.log1p(np.exp(wrong))], 1),
        "max_margin": np.maximum(0, 0.75 - right + wrong),
        "bpr": np.log1p(np.exp(wrong - right)),
    }[loss].mean()
    np.testing.assert_allclose(model.compute_loss(inputs, training=True), expected, rtol=1e-4)


def test_a_learned_temperature_starts_as_given_and_stays_positive():
    model = build(learn_temperature=True, temperature=0.5)
    inputs = batch([0, 1, 2, 3], POSITIVES)
    np.testing.assert_allclose(
        model.compute_loss(inputs), build(temperature=0.5).compute_loss(inputs), rtol=1e-5
    )
    with tf.GradientTape() as tape:
        loss = model.compute_loss(inputs, training=True)
    weight = next(v for v in model.trainable_variables if "log_temperature" in v.name)
    assert abs(float(tape.gradient(loss, weight))) > 1e-4
    weight.assign(-50.0)
    assert float(model.temperature) > 0
    assert len(build().trainable_variables) == len(model.trainable_variables) - 1


def ssl_loss(pattern, alpha, catalog=None, **overrides):
    ssl = SelfSupervisionConfig(pattern=pattern, alpha=alpha, **overrides)
    return build(catalog, ssl=ssl).compute_loss(batch([0, 1, 2, 3], POSITIVES))


def test_self_supervision_adds_its_weighted_loss():
    plain = build().compute_loss(batch([0, 1, 2, 3], POSITIVES))
    one, two = ssl_loss("rfm", 1.0), ssl_loss("rfm", 2.0)
    assert one > plain + 0.01
    np.testing.assert_allclose(two - plain, 2 * (one - plain), rtol=1e-4)
    assert abs(ssl_loss("rfm", 1.0, temperature=1.0) - one) > 0.01


@pytest.mark.parametrize("pattern", ["rfm", "rfm-complementary", "cfm"])
def test_self_supervision_contrasts_two_masked_runs_of_the_item_tower(pattern, monkeypatch):
    model = build(ssl=SelfSupervisionConfig(pattern=pattern))
    seen = {}
    side = model.self_supervision
    monkeypatch.setattr(side, "masks", lambda seed: tf.constant([[1, 0, 0], [0, 1, 1]]) > 0)
    monkeypatch.setattr(
        side, "loss", lambda *views: seen.update(zip("lrp", views, strict=True)) or tf.constant(0.0)
    )
    model.compute_loss(batch([0, 1, 2, 3], POSITIVES), training=True)
    parts = [part.numpy() for part in model._items.parts(seen["p"])]
    # The learned vectors of masked features start at zero.
    left = np.concatenate([0 * parts[0], parts[1], parts[2]], axis=1)
    right = np.concatenate([parts[0], 0 * parts[1], 0 * parts[2]], axis=1)
    for view, expected in ((seen["l"], left), (seen["r"], right)):
        np.testing.assert_allclose(view, model._item_layers(expected), rtol=1e-5, atol=1e-6)


def test_correlated_masks_come_from_the_catalog():
    # Genre and decade tell the same; the title's words halve the catalog.
    catalog = planted.make_catalog(12)
    titles = [b"odd" if row % 2 else b"even" for row in range(12)]
    years = np.arange(12) % 4
    catalog = dataclasses.replace(
        catalog, titles=np.asarray(titles, object), year_index=years.astype(np.int32)
    )
    model = build(
        catalog,
        item_features=("genres", "title", "year"),
        title_min_count=1,
        ssl=SelfSupervisionConfig(pattern="cfm"),
    )
    masks = model.self_supervision._by_seed
    assert masks.tolist() == [[True, False, True], [True, True, False], [True, False, True]]


def test_self_supervision_needs_features_that_the_catalog_has():
    bare = dataclasses.replace(
        planted.make_catalog(ITEMS), genres=np.zeros((ITEMS, 0), np.float32), genre_names=()
    )
    with pytest.raises(UserError, match="two or more that the catalog has, got id"):
        build(bare, item_features=("id", "genres"), ssl=SelfSupervisionConfig(pattern="rfm"))


def test_normalized_towers_have_unit_length():
    codes = build(normalize=True).encode_items(tf.range(ITEMS))
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1.0, rtol=1e-5)
    free = build(normalize=False).encode_items(tf.range(ITEMS))
    assert np.ptp(np.linalg.norm(free, axis=1)) > 1e-4


@pytest.mark.parametrize(
    ("name", "feature"),
    [
        ("gender", features.GENDER_INDEX),
        ("age", features.AGE_INDEX),
        ("occupation", features.OCCUPATION_INDEX),
        ("age_value", features.AGE),
        ("id", features.USER_INDEX),
    ],
)
def test_a_user_feature_moves_the_user_code_where_the_tower_reads_it(name, feature):
    inputs = batch([1], [0])
    changed = {**inputs, feature: tf.zeros([1], tf.int32)}
    every = ("id", "gender", "age", "occupation", "age_value")
    for names, moves in ((every, True), (tuple(n for n in every if n != name), False)):
        model = build(user_features=names)
        difference = np.abs(model.encode_users(inputs) - model.encode_users(changed)).max()
        assert (difference > 1e-4) == moves


def test_the_age_value_is_linear_and_zero_where_unknown():
    model = build(user_features=("age_value",))
    table = next(v for v in model.variables if v.name.startswith("age_value_embedding")).numpy()
    ages = {**batch([0] * 3, [0] * 3), features.AGE: tf.constant([0, 35, 50])}
    np.testing.assert_allclose(
        model._users.parts(ages)[0], [[0, 0], [0, 0], table[0]], rtol=1e-5, atol=1e-7
    )


def test_the_history_is_the_mean_of_its_items():
    model = build(user_features=("history",), history_limit=3)
    assert (model.history_limit, build().history_limit) == (3, 0)
    table = next(v for v in model.variables if v.name.startswith("item_embedding")).numpy()
    users = {**batch([0] * 3, [0] * 3), HISTORY: tf.constant([[-1, 4, 2], [1, 1, 0], [-1, -1, -1]])}
    expected = [(table[4] + table[2]) / 2, (2 * table[1] + table[0]) / 3, 0 * table[0]]
    np.testing.assert_allclose(model._users.parts(users)[0], expected, rtol=1e-5, atol=1e-7)


CHANGES = {
    "genres": lambda c: {"genres": np.roll(c.genres, 1, axis=1)},
    "year": lambda c: {"year_index": c.year_index + 3},
    "year_value": lambda c: {"year": np.arange(ITEMS, dtype=np.int32) * 10},
    "title": lambda c: {"titles": np.roll(c.titles, 1)},
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_an_item_feature_moves_the_item_code_where_the_tower_reads_it(name):
    catalog = planted.make_catalog(ITEMS)
    changed = dataclasses.replace(catalog, **CHANGES[name](catalog))
    every = ("id", *CHANGES)
    for names, moves in ((every, True), (tuple(n for n in every if n != name), False)):
        before, after = (
            build(c, item_features=names, title_min_count=1).encode_items(tf.range(ITEMS))
            for c in (catalog, changed)
        )
        assert (np.abs(before - after).max(axis=1) > 1e-4).all() == moves
        assert (np.abs(before - after).max() > 1e-4) == moves


def test_title_words_are_averaged():
    catalog = dataclasses.replace(
        planted.make_catalog(2), titles=np.asarray([b"Heat and Dust", b"Dust"], object)
    )
    model = build(catalog, item_features=("title",), title_min_count=1)
    table = next(v for v in model.variables if v.name.startswith("title_word")).numpy()
    # Words in alphabetical order from row 1 on: and, dust, heat.
    np.testing.assert_allclose(
        model._items.parts(tf.range(2))[0], [table[1:].mean(axis=0), table[2]], rtol=1e-5
    )


def test_batch_normalization_standardizes_over_the_batch():
    model = build(batch_norm=True, hidden_units=(8,), normalize=False)
    plain = build(hidden_units=(8,), normalize=False)
    assert len(model.trainable_variables) == len(plain.trainable_variables) + 2 * 4
    hidden = model._item_layers.layers[1:3]
    assert [type(layer).__name__ for layer in model._item_layers.layers] == [
        *("BatchNormalization", "Dropout", "Dense", "BatchNormalization", "ReLU", "Dropout"),
        "Dense",
    ]
    assert hidden[1].activation == tf.keras.activations.linear
    parts = tf.concat(model._items.parts(tf.range(ITEMS)), axis=1)
    output = model._item_layers.layers[0](parts, training=True).numpy()
    values = parts.numpy()
    expected = (values - values.mean(0)) / np.sqrt(values.var(0) + 1e-3)
    np.testing.assert_allclose(output, expected, rtol=1e-3, atol=1e-4)


def test_hidden_layers_and_dropout_act_in_training_only():
    model = build(hidden_units=(16,), dropout=0.5)
    still = [model.encode_items(tf.range(ITEMS)) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    noisy = [model.encode_items(tf.range(ITEMS), training=True) for _ in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-3
    assert len(model.trainable_variables) > len(build().trainable_variables)


def test_l2_is_the_sum_of_squares_of_the_tables():
    model = build(l2=0.5)
    tables = [v.numpy() for v in model.variables if "embedding" in v.name]
    np.testing.assert_allclose(
        sum(model.losses), 0.5 * sum(np.square(table).sum() for table in tables), rtol=1e-5
    )


def test_items_without_vocabulary_row_start_from_their_content_alone():
    catalog = planted.make_catalog(ITEMS)
    index = catalog.item_index.copy()
    index[-1] = ITEMS
    model = build(dataclasses.replace(catalog, item_index=index, num_vocabulary=ITEMS))
    table = next(v for v in model.variables if v.name.startswith("item_embedding"))
    np.testing.assert_array_equal(table.numpy()[ITEMS:], 0.0)
    assert np.abs(table.numpy()[:ITEMS]).min() > 0


def test_users_without_vocabulary_row_start_from_their_features_alone():
    table = next(v for v in build().variables if v.name.startswith("user_embedding")).numpy()
    np.testing.assert_array_equal(table[4:], 0.0)
    assert np.abs(table[:4]).min() > 0
