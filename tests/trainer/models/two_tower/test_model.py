"""The two-tower model's losses and draws against NumPy."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.support.small_towers import ITEMS, POSITIVES, PROBABILITY, batch, build
from trainer.config.two_tower import SelfSupervisionConfig, SoftmaxConfig
from trainer.data.batches import NEGATIVES, POSITIVE
from trainer.models.two_tower import cross_replica
from trainer.models.two_tower.draws import Purpose


def logits_by_numpy(model, inputs, candidates, temperature=0.1):
    users = model.user_embedding(inputs).numpy().astype(np.float64)
    items = model.item_embedding(tf.constant(candidates)).numpy().astype(np.float64)
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


# With dropout rows differ and are computed apart; without training it does nothing.
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_full_softmax_picks_the_positive_out_of_the_catalog(dropout):
    model = build(loss="full_softmax", temperature=0.5, dropout=dropout)
    assert model.static_shapes == bool(dropout)
    users = [2, 1, 2, 3, 2]
    positives = [5, 0, 4, 2, 5]
    inputs = batch(users, positives)
    logits = logits_by_numpy(model, inputs, list(range(ITEMS)), 0.5)
    right = logits[range(len(users)), positives]
    expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - right)
    loss, users, items = model.loss_and_embeddings(inputs, training=False)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(users, model.user_embedding(inputs), rtol=1e-5)
    np.testing.assert_allclose(items, model.item_embedding(inputs[POSITIVE]), rtol=1e-5)


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
    draw = model._draws.items
    monkeypatch.setattr(model._draws, "items", lambda *a: drawn.append(draw(*a)) or drawn[-1])
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
        m._draws.items(600, tf.constant(step, tf.int64), Purpose.UNIFORM)
        for m in (first, second)
        for step in (1, 2)
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


@pytest.mark.parametrize("compiled", [True, False])
def test_replicas_draw_apart_unless_they_share_their_candidates(monkeypatch, compiled):
    def drawn(model):
        found = []
        for number in range(3):
            replica = tf.constant(number, tf.int64)
            monkeypatch.setattr(cross_replica, "number", lambda replica=replica: replica)
            draw = tf.function(model._draws.items, jit_compile=compiled)
            found.append(tuple(draw(20, tf.constant(7, tf.int64), Purpose.UNIFORM).numpy()))
        return found

    own = drawn(build(softmax=SoftmaxConfig(uniform_negatives=20)))
    assert len(set(own)) == 3
    shared = SoftmaxConfig(uniform_negatives=20, cross_replica_negatives=True)
    assert drawn(build(softmax=shared)) == [own[0]] * 3
