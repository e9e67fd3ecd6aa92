import numpy as np
import pytest
import tensorflow as tf

from trainer.models.two_tower.sequence.catalog_softmax import cross_entropy

ITEMS, WIDTH, LENGTH = 11, 4, 5


def values(histories, scale=1.0):
    random = np.random.default_rng(histories)
    queries = random.normal(size=(histories, LENGTH, WIDTH)) * scale
    items = random.normal(size=(ITEMS, WIDTH))
    targets = random.integers(0, ITEMS, (histories, LENGTH))
    targets[::2, -2:] = -1
    return (
        tf.constant(queries, tf.float32),
        tf.constant(items, tf.float32),
        tf.constant(targets, tf.int32),
    )


def plain(queries, items, targets):
    logits = tf.einsum("bld,cd->blc", queries, items)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(targets, 0), logits)
    return tf.reduce_sum(tf.where(targets >= 0, losses, 0.0))


def with_gradients(function, queries, items, targets):
    with tf.GradientTape() as tape:
        tape.watch([queries, items])
        # What follows the loss scales its gradients.
        loss = 3.0 * function(queries, items, targets)
    return [loss, *(tf.convert_to_tensor(g) for g in tape.gradient(loss, [queries, items]))]


@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("bounded", [True, False])
# In one tile, in several, in as many as there may be and in more than one history each.
@pytest.mark.parametrize("histories", [1, 6, 16, 48])
def test_loss_and_gradients_are_those_of_the_plain_softmax(histories, bounded, jit_compile):
    arguments = values(histories)

    @tf.function(jit_compile=jit_compile)
    def tiled(queries, items, targets):
        return with_gradients(
            lambda *given: cross_entropy(*given, bounded), queries, items, targets
        )

    for found, expected in zip(tiled(*arguments), with_gradients(plain, *arguments), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_large_logits_do_not_overflow():
    arguments = values(2, scale=100.0)
    found = with_gradients(lambda *given: cross_entropy(*given, False), *arguments)
    for value, expected in zip(found, with_gradients(plain, *arguments), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-3)
