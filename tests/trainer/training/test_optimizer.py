"""Optimizers and schedules against their formulas in NumPy; what each option changes."""

import numpy as np
import pytest
import tensorflow as tf

from schema.errors import UserError
from tests.support import planted
from tests.support.choices import names_of
from trainer.config.neumf import NeuMFConfig, PretrainConfig
from trainer.config.optimizer import OptimizerConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.batches import TrainingData
from trainer.distribution.strategy import DistributionContext
from trainer.models import registry
from trainer.models.base import DataSizes
from trainer.training.loops.gradient import GradientLoop
from trainer.training.optimizer import (
    OPTIMIZERS,
    SCHEDULES,
    Schedule,
    keeps_sparse,
    make_optimizer,
)

RATE = 0.1
GRADIENTS = np.asarray(
    [[[1.0, -2.0], [0.0, 0.0], [0.5, 4.0]], [[0.0, 0.0], [3.0, 1.0], [1.0, 1.0]]]
)


def config_of(precision="float32", rate=RATE, **settings):
    return TrainerConfig(
        learning_rate=rate, optimizer=OptimizerConfig(**settings), precision=precision, epochs=10
    )


def applied(config, sparse=False):
    """Weights after GRADIENTS, from ones."""
    table = tf.Variable(np.ones([3, 2]), dtype=tf.float32)
    optimizer = make_optimizer(config, epoch_steps=5)
    optimizer.build([table])
    for gradient in GRADIENTS.astype(np.float32):
        value = tf.constant(gradient)
        if sparse:
            # Row 2 in two halves, as when a batch has an item twice.
            rows = tf.constant([0, 1, 2, 2])
            value = tf.gather(value, rows) * [[1.0], [1.0], [0.5], [0.5]]
            value = tf.IndexedSlices(value, rows, tf.constant([3, 2]))
        optimizer.apply_gradients([(value, table)])
    return table.numpy()


def adam_by_numpy(beta1, beta2, epsilon, lazy=False):
    """Kingma and Ba 2015, with epsilon beside the uncorrected root as Keras has it."""
    weights, m, v = np.ones([3, 2]), np.zeros([3, 2]), np.zeros([3, 2])
    for step, gradient in enumerate(GRADIENTS, start=1):
        rate = RATE * np.sqrt(1 - beta2**step) / (1 - beta1**step)
        live = gradient.any(axis=1) if lazy else np.ones(3, bool)
        m[live] = beta1 * m[live] + (1 - beta1) * gradient[live]
        v[live] = beta2 * v[live] + (1 - beta2) * gradient[live] ** 2
        weights[live] -= rate * m[live] / (np.sqrt(v[live]) + epsilon)
    return weights


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    "betas", [(0.9, 0.999, 1e-7), (0.5, 0.999, 1e-7), (0.9, 0.6, 1e-7), (0.9, 0.999, 0.1)]
)
def test_adam_follows_its_betas_and_epsilon(betas, sparse):
    beta1, beta2, epsilon = betas
    config = config_of(beta1=beta1, beta2=beta2, epsilon=epsilon)
    np.testing.assert_allclose(applied(config, sparse), adam_by_numpy(*betas), rtol=1e-4)


def test_lazy_adam_leaves_rows_without_a_gradient_alone():
    weights = applied(config_of(name="lazy_adam"), sparse=True)
    np.testing.assert_allclose(weights, adam_by_numpy(0.9, 0.999, 1e-7, lazy=True), rtol=1e-4)
    assert np.abs(weights - adam_by_numpy(0.9, 0.999, 1e-7)).max() > 0.01


@pytest.mark.parametrize("sparse", [False, True])
def test_adagrad_and_sgd(sparse):
    config = config_of(name="adagrad", initial_accumulator=0.5, epsilon=1e-3)
    weights, squares = np.ones([3, 2]), np.full([3, 2], 0.5)
    for gradient in GRADIENTS:
        squares += gradient**2
        weights -= RATE * gradient / np.sqrt(squares + 1e-3)
    np.testing.assert_allclose(applied(config, sparse), weights, rtol=1e-5)
    expected = 1 - RATE * GRADIENTS.sum(axis=0)
    np.testing.assert_allclose(applied(config_of(name="sgd"), sparse), expected, rtol=1e-5)


def test_clipping_shrinks_to_the_global_norm():
    clipped = [g * min(1, 2.0 / np.linalg.norm(g)) for g in GRADIENTS]
    weights = applied(config_of(name="sgd", clip_norm=2.0))
    np.testing.assert_allclose(weights, 1 - RATE * np.sum(clipped, axis=0), rtol=1e-5)


def rates(**settings):
    schedule = Schedule(RATE, OptimizerConfig(**settings), epoch_steps=5, total_steps=50)
    return np.asarray([float(schedule(tf.constant(step))) for step in range(50)])


def test_schedules_follow_their_formulas():
    steps = np.arange(50)
    np.testing.assert_allclose(
        rates(schedule="cosine", final_share=0.2),
        RATE * (0.2 + 0.8 * (1 + np.cos(np.pi * steps / 50)) / 2),
        rtol=1e-5,
    )
    by_epoch = rates(schedule="exponential", decay_rate=0.5)
    np.testing.assert_allclose(by_epoch, RATE * 0.5 ** (steps / 5), rtol=1e-4)
    by_steps = rates(schedule="exponential", decay_rate=0.5, decay_steps=10)
    np.testing.assert_allclose(by_steps, RATE * 0.5 ** (steps / 10), rtol=1e-4)
    stairs = rates(schedule="exponential", decay_rate=0.5, decay_steps=10, staircase=True)
    np.testing.assert_allclose(stairs, RATE * 0.5 ** (steps // 10), rtol=1e-6)


@pytest.mark.parametrize("warmup", [{"warmup_steps": 10}, {"warmup_share": 0.2}])
def test_warm_up_rises_to_the_learning_rate(warmup):
    np.testing.assert_allclose(rates(**warmup)[:10], RATE * np.arange(1, 11) / 10, rtol=1e-5)
    np.testing.assert_allclose(rates(**warmup)[10:], RATE, rtol=1e-5)
    after = np.arange(40)
    np.testing.assert_allclose(
        rates(schedule="cosine", **warmup)[10:],
        RATE * (1 + np.cos(np.pi * after / 40)) / 2,
        rtol=1e-4,
        atol=1e-8,
    )


def test_the_schedule_reaches_the_optimizer():
    # With half the rate from the second step on, half of that step's change.
    config = config_of(name="sgd", schedule="exponential", decay_rate=0.5, decay_steps=1)
    expected = 1 - RATE * (GRADIENTS[0] + 0.5 * GRADIENTS[1])
    np.testing.assert_allclose(applied(config), expected, rtol=1e-5)


def test_float16_scales_the_loss_and_leaves_overflowed_steps_out():
    table = tf.Variable(np.ones([3, 2]), dtype=tf.float32)
    optimizer = make_optimizer(config_of(precision="float16", name="sgd"), epoch_steps=5)
    optimizer.build([table])
    before = float(optimizer.get_scaled_loss(tf.constant(1.0)))
    optimizer.apply_gradients([(tf.fill([3, 2], np.inf), table)])
    np.testing.assert_array_equal(table.numpy(), 1.0)
    assert float(optimizer.get_scaled_loss(tf.constant(1.0))) == before / 2
    optimizer.apply_gradients([(tf.ones([3, 2]), table)])
    np.testing.assert_allclose(table.numpy(), 1 - RATE, rtol=1e-6)
    fixed = make_optimizer(config_of(precision="float16", loss_scale=8.0), epoch_steps=5)
    assert float(fixed.get_scaled_loss(tf.constant(1.0))) == 8.0


def test_auto_keeps_gradients_of_large_tables_sparse():
    adagrad = config_of(name="adagrad")
    assert not keeps_sparse(adagrad, 799, 100)
    assert keeps_sparse(adagrad, 800, 100)
    assert not keeps_sparse(config_of(), 10**9, 100)
    assert not keeps_sparse(config_of(name="sgd"), 10**9, 100)
    assert not keeps_sparse(config_of(name="adagrad", clip_norm=1.0), 10**9, 100)
    assert keeps_sparse(config_of(name="lazy_adam"), 10, 100)
    assert keeps_sparse(config_of(embedding_gradients="sparse"), 10, 100)
    assert not keeps_sparse(config_of(name="adagrad", embedding_gradients="dense"), 10**9, 100)


class _Quiet:
    def advance(self, *_):
        pass


def trained_weights(**overrides):
    dataset = planted.make_dataset()
    base = planted.CONFIGS["neumf"].replace(epochs=1)
    config = base.replace(**overrides)
    tf.keras.utils.set_random_seed(1)
    sizes = DataSizes(dataset.num_users, dataset.context_sizes, dataset.catalog)
    model = registry.build(config, sizes)
    data = TrainingData(dataset.train, dataset.catalog.size, 4, 0)
    loop = GradientLoop(model, config, data, DistributionContext(tf.distribute.get_strategy()))
    loop.fit(1, lambda _: False, _Quiet())
    return loop, model.get_weights()


@pytest.mark.seconds
def test_sparse_and_dense_gradients_train_alike():
    results = {}
    for kind in ("dense", "sparse"):
        settings = OptimizerConfig(name="adagrad", embedding_gradients=kind)
        results[kind] = trained_weights(optimizer=settings)
    assert [results[kind][0].sparse for kind in results] == [False, True]
    for left, right in zip(results["dense"][1], results["sparse"][1], strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-5)


@pytest.mark.seconds
def test_the_compiled_step_of_float16_learns():
    loop, weights = trained_weights(precision="float16")
    _, exact = trained_weights()
    assert int(loop.optimizer.iterations) == 10
    for left, right in zip(weights, exact, strict=True):
        np.testing.assert_allclose(left, right, atol=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": {"name": "adm"}}, "name: expected one of .*did you mean 'adam'"),
        ({"optimizer": {"beta1": 1.0}}, r"beta1: expected in \[0, 1\), got 1.0"),
        ({"optimizer": {"warmup_steps": 3, "warmup_share": 0.1}}, "warmup_share: expected 0"),
        ({"optimizer": {"name": "lazy_adam", "embedding_gradients": "dense"}}, "lazy_adam"),
        ({"optimizer": {"name": "lazy_adam", "clip_norm": 1.0}}, "clip_norm: expected 0 with sp"),
        ({"optimizer": {"name": "lazy_adam"}, "strategy": "mirrored"}, "expected dense gradients"),
        ({"optimizer": {"loss_scale": 8.0}}, "loss_scale: expected 0 unless precision is float16"),
        ({"precision": "float16", "model": "two_tower"}, "expected float32 with the model two_t"),
        ({"hr_threshold": 1.5}, "hr_threshold: expected in"),
    ],
)
def test_rules_between_options_are_one_sentence(settings, message):
    optimizer = dict(settings)
    values = optimizer.pop("optimizer", {})
    with pytest.raises(UserError, match=message):
        TrainerConfig(**optimizer, optimizer=OptimizerConfig(**values))


def test_pretraining_needs_both_halves_and_neumf():
    with pytest.raises(UserError, match="expected both"):
        PretrainConfig(gmf_epochs=3)
    both = NeuMFConfig(pretrain=PretrainConfig(gmf_epochs=3, mlp_epochs=3))
    with pytest.raises(UserError, match="expected 0 epochs with the model gmf"):
        TrainerConfig(model="gmf", neumf=both)


def test_the_settings_name_the_optimizers_and_schedules_that_there_are():
    assert names_of(OptimizerConfig, "name") == set(OPTIMIZERS)
    assert names_of(OptimizerConfig, "schedule") == set(SCHEDULES)
