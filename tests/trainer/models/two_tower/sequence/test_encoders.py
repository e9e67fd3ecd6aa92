"""Encoders of ordered histories against their formulas, and that no position sees a later one."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.sequence import SEQUENCE_ENCODERS, SequenceConfig
from trainer.models.two_tower.sequence import encoders
from trainer.models.two_tower.sequence.hstu import HSTU
from trainer.models.two_tower.sequence.sasrec import SASRec

WIDTH, LIMIT, HEADS = 6, 7, 2


def make(name, **settings):
    """An encoder with random weights, biases and scales of norms included."""
    settings = SequenceConfig(**{"heads": HEADS, "blocks": 2, **settings})
    encoder = encoders.ENCODERS[name](settings, LIMIT, WIDTH)
    encoder(vectors(1))
    random = np.random.default_rng(5)
    encoder.set_weights([random.normal(size=w.shape) for w in encoder.get_weights()])
    return encoder


def vectors(histories, length=LIMIT, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(histories, length, WIDTH)).astype(np.float32)


def normalized(values, scale, offset):
    mean, variance = (f(values, axis=-1, keepdims=True) for f in (np.mean, np.var))
    return (values - mean) / np.sqrt(variance + 1e-6) * scale + offset


def silu(values):
    return values / (1 + np.exp(-values))


def test_every_name_of_the_setting_has_an_encoder():
    assert set(encoders.ENCODERS) == set(SEQUENCE_ENCODERS)


@pytest.mark.parametrize("name", SEQUENCE_ENCODERS)
def test_a_later_item_changes_no_earlier_output(name):
    encoder = make(name)
    items = vectors(3)
    before = encoder(items).numpy()
    for place in range(LIMIT):
        changed = items.copy()
        changed[:, place] = vectors(3, seed=1)[:, place]
        after = encoder(changed).numpy()
        np.testing.assert_array_equal(after[:, :place], before[:, :place])
        # Itself and all that follow see it.
        assert (np.abs(after - before)[:, place:].max(axis=2) > 1e-6).all()


@pytest.mark.parametrize("name", SEQUENCE_ENCODERS)
def test_what_pads_a_history_changes_nothing(name):
    encoder = make(name)
    items = vectors(2)
    np.testing.assert_allclose(encoder(items[:, :4]), encoder(items)[:, :4], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SEQUENCE_ENCODERS)
def test_the_order_of_a_history_counts(name):
    encoder = make(name)
    items = vectors(1)
    turned = np.concatenate([items[:, 1::-1], items[:, 2:]], axis=1)
    assert np.abs(encoder(turned) - encoder(items))[:, -1].max() > 1e-4


@pytest.mark.parametrize("name", SEQUENCE_ENCODERS)
def test_dropout_acts_in_training_only(name):
    encoder = make(name, dropout=0.5)
    items = vectors(1)
    np.testing.assert_array_equal(encoder(items), encoder(items))
    assert np.abs(encoder(items, training=True) - encoder(items)).max() > 1e-3


def test_hstu_is_the_papers_formula():
    encoder = make("hstu", blocks=1)
    assert isinstance(encoder, HSTU)
    items = vectors(2)
    bias, scale_in, offset_in, scale_out, offset_out, project, combine, added = (
        value.astype(np.float64) for value in encoder.get_weights()
    )
    expected = np.empty_like(items)
    for row, history in enumerate(items.astype(np.float64) * np.sqrt(WIDTH)):
        hidden = silu(normalized(history, scale_in, offset_in) @ project)
        gate, value, query, key = np.split(hidden, 4, axis=1)
        found = np.zeros((LIMIT, WIDTH))
        for head in range(HEADS):
            own = slice(head * WIDTH // HEADS, (head + 1) * WIDTH // HEADS)
            for at in range(LIMIT):
                for earlier in range(at + 1):
                    score = query[at, own] @ key[earlier, own] + bias[at - earlier, head]
                    found[at, own] += silu(score) * value[earlier, own] / (at + 1)
        gated = normalized(found, scale_out, offset_out) * gate
        expected[row] = history + gated @ combine + added
    np.testing.assert_allclose(encoder(items), expected, rtol=1e-4, atol=1e-4)


def test_sasrec_is_the_papers_formula_with_norms_before_the_layers():
    encoder = make("sasrec", blocks=1)
    assert isinstance(encoder, SASRec)
    items = vectors(2)
    (positions, *norms_and_layers) = (value.astype(np.float64) for value in encoder.get_weights())
    (g1, b1, g2, b2, project, project_b, combine, combine_b, w1, w1_b, w2, w2_b, g3, b3) = (
        norms_and_layers
    )
    expected = np.empty_like(items)
    for row, history in enumerate(items.astype(np.float64)):
        inputs = history * np.sqrt(WIDTH) + positions
        query, key, value = np.split(normalized(inputs, g1, b1) @ project + project_b, 3, axis=1)
        found = np.zeros((LIMIT, WIDTH))
        for head in range(HEADS):
            own = slice(head * WIDTH // HEADS, (head + 1) * WIDTH // HEADS)
            for at in range(LIMIT):
                scores = key[: at + 1, own] @ query[at, own] / np.sqrt(WIDTH // HEADS)
                share = np.exp(scores - scores.max())
                found[at, own] = share @ value[: at + 1, own] / share.sum()
        attended = inputs + found @ combine + combine_b
        hidden = np.maximum(normalized(attended, g2, b2) @ w1 + w1_b, 0)
        expected[row] = normalized(attended + hidden @ w2 + w2_b, g3, b3)
    np.testing.assert_allclose(encoder(items), expected, rtol=1e-4, atol=1e-4)


def test_the_last_outputs_are_those_of_the_newest_positions():
    encoder = make("hstu")
    table = tf.constant(np.random.default_rng(2).normal(size=(9, WIDTH)), tf.float32)
    random = np.random.default_rng(4)
    lengths = [0, LIMIT, *random.integers(1, LIMIT + 1, 70)]
    histories = np.full((len(lengths), LIMIT), -1, np.int32)
    for row, length in zip(histories, lengths, strict=True):
        row[:length] = random.integers(0, 9, length)
    found = encoders.last_outputs(encoder, lambda items: tf.gather(table, items), histories)
    assert (found[0].numpy() == 0).all()
    for row, history, length in zip(found[1:], histories[1:], lengths[1:], strict=True):
        whole = encoder(tf.gather(table, history[:length])[tf.newaxis])
        np.testing.assert_allclose(row, whole[0, -1], rtol=1e-4, atol=1e-5)
