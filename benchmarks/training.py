"""Examples per second of the training loop on data of ML-1M's size.

Examples are positives and sampled negatives; an epoch is timed as training.json
reports it, input pipeline included and validation not. Without --data the
interactions are drawn at random with ML-1M's counts of users and items, which
costs the same. With --gradients it compares dense and sparse gradients of
tables of growing size instead, for the rule of trainer.optimizer.SPARSE_FROM.

    python benchmarks/training.py [--data DIR] [--epochs N] [--model two_tower] [--gradients]
"""

from __future__ import annotations

import argparse
import functools
import os
import pathlib
import sys

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np
import tensorflow as tf

from schema import features
from trainer.config.neumf import NeuMFConfig
from trainer.config.optimizer import OptimizerConfig
from trainer.config.trainer import TrainerConfig
from trainer.config.two_tower import ID, TwoTowerConfig
from trainer.data.batches import TrainingData
from trainer.data.catalog import Catalog
from trainer.data.interactions import Interactions
from trainer.distribution.strategy import DistributionContext
from trainer.models import registry
from trainer.models.base import DataSizes
from trainer.training.loops.base import Epoch
from trainer.training.loops.factory import make_loop

USERS, ITEMS, INTERACTIONS = 6040, 3706, 994_169
NEGATIVES = 4
SMALL = NeuMFConfig(embedding_dim=8, hidden_units=(64, 32, 16, 8))
LARGE = NeuMFConfig(embedding_dim=32, hidden_units=(64, 64, 32, 16))
# Name, widths, positives a batch.
NEUMF = (
    ("small, batch 8,192 positives", SMALL, 8192),
    ("small, batch 99,000 positives", SMALL, 99_000),
    ("small, batch 8,192 examples", SMALL, 8192 // 5),
    ("small, batch 99,000 examples", SMALL, 99_000 // 5),
    ("embedding 32, layers 64-64-32-16, batch 2,048 positives", LARGE, 2048),
)
TOWERS = TwoTowerConfig(embedding_dim=32)
IDS = TOWERS.replace(user_features=(ID,), item_features=(ID,))
# By model, name and configuration.
CASES = {
    "neumf": {name: TrainerConfig(neumf=widths, batch_size=size) for name, widths, size in NEUMF},
    "two_tower": {
        f"{name}, batch {size:,}": TrainerConfig(
            model="two_tower", two_tower=towers, batch_size=size
        )
        for name, towers in (("ids", IDS), ("all features", TOWERS))
        for size in (8192, 1024)
    },
}


class Quiet:
    """A Progress that shows nothing."""

    def advance(self, epoch: int, fraction: float, loss: float) -> None:
        """Ignores the news."""


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of ML-1M's raw files; synthetic when left out")
    parser.add_argument("--epochs", type=int, default=3, help="the fastest after the first counts")
    parser.add_argument("--model", choices=list(CASES), default="neumf", help="default: neumf")
    parser.add_argument("--gradients", action="store_true", help="compare dense and sparse ones")
    options = parser.parse_args()
    if options.gradients:
        compare_gradients()
        return
    lists = real(options.data) if options.data else synthetic(USERS, ITEMS, INTERACTIONS)
    for name, config in CASES[options.model].items():
        examples = speed(config.replace(epochs=options.epochs), lists, ITEMS)
        print(f"{name}: {examples:,.0f} examples/s", flush=True)


def synthetic(users: int, items: int, interactions: int) -> list[np.ndarray]:
    """Distinct random items for each user."""
    random = np.random.default_rng(0)
    share = interactions // users
    return [random.choice(items, share, replace=False, shuffle=False) for _ in range(users)]


def real(folder: str) -> list[np.ndarray]:
    """Items by user of ML-1M's ratings.dat."""
    with open(pathlib.Path(folder) / "ratings.dat", encoding="ascii") as file:
        pairs = np.asarray([line.split("::")[:2] for line in file], np.int64)
    _, items = np.unique(pairs[:, 1], return_inverse=True)
    order = np.argsort(pairs[:, 0], kind="stable")
    _, starts = np.unique(pairs[order, 0], return_index=True)
    return np.split(items[order], starts[1:])


def speed(config: TrainerConfig, lists: list[np.ndarray], items: int) -> float:
    """Examples per second of the fastest epoch after the first, which compiles."""
    return fastest(fit(config, lists, items, DistributionContext(tf.distribute.get_strategy())))


def fastest(epochs: list[Epoch]) -> float:
    """Examples per second of the fastest epoch after the first."""
    return max(epoch.examples / epoch.seconds for epoch in epochs[1:])


def fit(
    config: TrainerConfig, lists: list[np.ndarray], items: int, distribution: DistributionContext
) -> list[Epoch]:
    """Train on lists of items by user, without validation."""
    lengths = [len(positions) for positions in lists]
    users, count = len(lists), sum(lengths)
    histories = Interactions(
        user_id=np.arange(users).astype("S").astype(object),
        user_index=np.arange(users, dtype=np.int32),
        context=np.zeros((users, len(features.USER_CONTEXT)), np.int32),
        positions=np.concatenate(lists).astype(np.int32),
        splits=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        ratings=np.ones(count, np.float32),
        targets=np.zeros(0, np.int32),
        target_splits=np.zeros(users + 1, np.int64),
        target_ratings=np.zeros(0, np.float32),
        target_offsets=np.zeros(0, np.int32),
        num_vocabulary=items,
    )
    catalog = Catalog(
        item_ids=np.arange(items).astype("S").astype(object),
        titles=np.full(items, b"", object),
        buckets=np.zeros(0, np.int32),
        genres=np.zeros((items, 0), np.float32),
        genre_names=(),
        year=np.full(items, -1, np.int32),
        year_index=np.zeros(items, np.int32),
        counts=histories.counts(items),
        num_buckets=1,
    )
    sizes = DataSizes(users + 1, (1, 8, 1), catalog)
    build = functools.partial(registry.build, config, sizes)
    negatives = NEGATIVES if config.spec.needs_negatives(config) else 0
    tf.keras.utils.set_random_seed(config.seed)
    model = build()
    data = TrainingData(histories, items, negatives, config.seed)
    fitter = make_loop(model, build, config, data, distribution)
    return fitter.fit(config.epochs, lambda _: False, Quiet())


def compare_gradients() -> None:
    """Print examples per second for tables of 1 to 64 times a batch's rows."""
    batch = 1024
    rows = batch * (1 + NEGATIVES)
    for factor in (1, 4, 8, 16, 64):
        lists = synthetic(rows * factor, ITEMS, rows * factor * max(1, 40 // factor))
        for name in ("sgd", "adagrad", "adam"):
            speeds = {}
            for kind in ("dense", "sparse"):
                settings = OptimizerConfig(name=name, embedding_gradients=kind)
                config = TrainerConfig(neumf=SMALL, batch_size=batch, epochs=2, optimizer=settings)
                speeds[kind] = speed(config, lists, ITEMS)
            print(
                f"{name}, {factor} times the rows: dense {speeds['dense']:,.0f}, "
                f"sparse {speeds['sparse']:,.0f} examples/s",
                flush=True,
            )


if __name__ == "__main__":
    main()
