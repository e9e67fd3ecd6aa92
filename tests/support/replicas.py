"""Trains planted data on logical CPU devices, and prints what came of it as JSON.

A process has as many devices as it had when TensorFlow started, hence a process
for each number: `python tests/support/replicas.py DEVICES`.
"""

import functools
import json
import sys

import numpy as np
import tensorflow as tf

from tests.support import planted
from trainer.config.neumf import PretrainConfig
from trainer.config.optimizer import OptimizerConfig
from trainer.config.two_tower import SoftmaxConfig
from trainer.data.batches import TrainingData
from trainer.data.sequences import SequenceData
from trainer.distribution import strategy as distribution
from trainer.distribution.strategy import make_distribution
from trainer.models import registry
from trainer.models.base import DataSizes
from trainer.training.loops.factory import make_loop
from trainer.training.train import train

BATCH = 64


def towers(model, cross_replica_negatives, **softmax):
    settings = SoftmaxConfig(cross_replica_negatives=cross_replica_negatives, **softmax)
    config = planted.CONFIGS[model]
    return config.replace(two_tower=config.two_tower.replace(softmax=settings))


def sampled(loss):
    config = planted.CONFIGS["two_tower"]
    return config.replace(two_tower=config.two_tower.replace(loss=loss))


def sequences():
    return planted.CONFIGS["two_tower"].replace(two_tower=planted.SEQUENCE_TOWERS)


CONFIGS = {
    **{name: planted.CONFIGS[name] for name in ("neumf", "mf", "rating")},
    "bpr": sampled("bpr"),
    "gathered-extras": towers("two_tower", True, uniform_negatives=5, logq="streaming"),
    "gathered-hard": towers("two_tower", True, hard_negatives=6, remove_accidental_hits=False),
    "multi_task": towers("multi_task", True),
    "apart": towers("two_tower", False),
    "hstu": sequences(),
}
# Compiled once; the others would only take longer.
CONFIGS |= {
    name: config.replace(jit_compile=False) for name, config in CONFIGS.items() if name != "neumf"
}


# On four devices; a batch is shared in the same way whatever the model.
ON_FOUR = ("neumf", "gathered-extras", "apart")


strategy_of = distribution._strategy


class Quiet:
    def advance(self, *_):
        pass


def prepared(config, strategy):
    """A TrainingLoop of one batch, and its data."""
    # Adam's steps would not tell gradients from twice as large ones.
    config = config.replace(
        strategy=strategy,
        batch_size=BATCH,
        optimizer=OptimizerConfig(name="sgd"),
        learning_rate=1.0,
    )
    dataset = planted.make_dataset(users=BATCH // 8)
    catalog = dataset.catalog.with_counts(dataset.train.counts(dataset.catalog.size))
    sizes = DataSizes(dataset.num_users, dataset.context_sizes, catalog)
    build = functools.partial(registry.build, config, sizes)
    tf.keras.utils.set_random_seed(3)
    model = build()
    data = data_for(model, config, dataset)
    return make_loop(model, build, config, data, make_distribution(config)), data


def data_for(model, config, dataset):
    if model.sequences is not None:
        return SequenceData(dataset.train, model.history_limit, model.sequences, 5)
    negatives = config.negatives_per_positive if config.spec.needs_negatives(config) else 0
    return TrainingData(
        dataset.train,
        dataset.catalog.size,
        negatives,
        5,
        None,
        model.history_limit,
        model.predicts_ratings,
    )


def fixed_batch(config, strategy):
    """Loss of one step on one batch, and what the step changed of all weights."""
    loop, _ = prepared(config, strategy)
    before = loop.model.get_weights()
    (epoch,) = loop.fit(1, lambda _: False, Quiet())
    assert epoch.steps == 1
    after = loop.model.get_weights()
    changes = [new - old for new, old in zip(after, before, strict=True)]
    return epoch.loss, np.concatenate([change.ravel() for change in changes]).tolist()


def parts_apart(config, count):
    """Losses of the parts of the batch, each as a batch of its own."""
    loop, data = prepared(config, "none")
    parts = data.epoch(1, BATCH, range(count), count)
    return [float(loop.model.compute_loss(part, training=False)) for part in parts]


def trained(config, strategy):
    """Losses and validations of whole trainings, stages and refit included."""
    config = config.replace(strategy=strategy)
    report = train(config, planted.EVALUATION, planted.make_dataset(), None).report
    return {
        "losses": [epoch["loss"] for epoch in report["history"]],
        "best": report["best_validation"],
        "refit_epochs": report["refit_epochs"],
        "replicas": report["replicas"],
        "replica_batch_size": report["replica_batch_size"],
    }


def main(devices):
    cpu = tf.config.list_physical_devices("CPU")[0]
    logical = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [logical] * devices)
    strategies = ("none", "mirrored")
    pretrain = PretrainConfig(gmf_epochs=1, mlp_epochs=1, learning_rate=0.02)
    neumf = planted.CONFIGS["neumf"]
    stages = neumf.replace(
        epochs=2,
        refit=True,
        jit_compile=False,
        neumf=neumf.neumf.replace(pretrain=pretrain),
    )
    result = {
        "fixed": {
            name: {one: fixed_batch(config, one) for one in strategies}
            for name, config in CONFIGS.items()
            if devices == 2 or name in ON_FOUR
        },
        "parts": parts_apart(CONFIGS["apart"], devices),
    }
    if devices == 2:
        # No TPU is here; its branch of the loop runs on what is.
        here = distribution._strategy("mirrored")
        distribution._strategy = lambda name: (
            tf.distribute.get_strategy() if name == "none" else here
        )
        result["tpu"] = fixed_batch(CONFIGS["neumf"], "tpu")
        distribution._strategy = strategy_of
        result["one_device"] = fixed_batch(CONFIGS["mf"], "one_device")
        result["trained"] = {one: trained(stages, one) for one in strategies}
    print(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]))
