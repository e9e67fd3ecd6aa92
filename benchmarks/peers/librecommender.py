"""LibRecommender's TwoTower and ours on one split of ML-1M, measured by one function.

    python benchmarks/peers/librecommender.py ours --data DIR --output DIR [--variant NAME ...]
    python benchmarks/peers/librecommender.py theirs --data DIR --output DIR [--variant NAME ...]

The two need environments of their own: `theirs` one with librecommender, TensorFlow below 2.16,
torch and pandas, and nothing of this project. Both read the split that the first of them writes
into the output folder: each user's last interaction is tested, the one before chooses the epoch,
and those of one second stand in the order of their item ids. There timestamps are replaced by each
user's own count, so that any reader finds the same order.

A variant is trained twice: on all before the two for `--epochs` epochs, of which the one with the
best NDCG@10 on the validation items is chosen, and anew on all but the test items for as many. The
figures are HR@10 and NDCG@10 of the tested item among all items of the training data that the user
has not interacted with; ties count against it, and so does an item that training lacks. Lines go to
standard output, progress to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
K = 10
# LibRecommender's arguments; what is not named has its default.
SHARED = {"norm_embed": True, "temperature": 0.1, "batch_size": 2048}
THEIRS: dict[str, dict[str, Any]] = {"softmax": {}, "softmax, rfm": {"ssl_pattern": "rfm"}}
# What these and those defaults are here (docs/coming-from.md).
LIKE_THEIRS = (
    "trainer.batch_size=2048",
    "trainer.learning_rate=0.001",
    "trainer.optimizer.epsilon=1e-5",
    "trainer.patience=0",
)
TOWERS = (
    "embedding_dim: 16, feature_dim: 16, output_dim: 32, hidden_units: [128, 64], "
    "batch_norm: true, batch_norm_order: after_relu, item_features: [id, genres], "
    "user_features: [id, gender, age_value, occupation], temperature: 0.1, "
    "softmax: {remove_accidental_hits: false}, embeddings_initializer: glorot_uniform"
)
RFM = "ssl: {pattern: rfm, num_masked: 1, placeholder: zeros, temperature: 0.1}"
OURS = {
    "softmax": (*LIKE_THEIRS, f"trainer.two_tower={{{TOWERS}}}"),
    "softmax, rfm": (*LIKE_THEIRS, f"trainer.two_tower={{{TOWERS}, {RFM}}}"),
    # As tuned on `valid` here: wider, with the decade, without hidden layers.
    "our preset": (),
}


class Split:
    """Hold interactions by user, in the order of time.

    Args:
      folder: of the split, in ML-1M's layout.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.histories: dict[str, list[str]] = {}
        for user, item, _, _ in _rows(folder / "ratings.dat"):
            self.histories.setdefault(user, []).append(item)
        self.users = {user: row for user, *row in _rows(folder / "users.dat")}
        self.items = {item: row for item, *row in _rows(folder / "movies.dat")}

    def held_out(self, last: int) -> dict[str, tuple[list[str], str]]:
        """Return what each user did before one of the last interactions, and that one.

        Args:
          last: 1 for the test items, 2 for those that choose the epoch.
        """
        return {user: (items[:-last], items[-last]) for user, items in self.histories.items()}


def write_split(data: pathlib.Path, folder: pathlib.Path) -> Split:
    """Write the interactions in their order, unless they are there.

    Args:
      data: raw ML-1M.
      folder: to write.
    """
    if not folder.exists():
        rows = sorted(_rows(data / "ratings.dat"), key=lambda r: (int(r[0]), int(r[3]), int(r[1])))
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        unfinished.mkdir(parents=True, exist_ok=True)
        count: dict[str, int] = {}
        with (unfinished / "ratings.dat").open("w", encoding="latin-1") as file:
            for user, item, rating, _ in rows:
                count[user] = count.get(user, 0) + 1
                file.write(f"{user}::{item}::{rating}::{count[user]}\n")
        for name in ("users.dat", "movies.dat"):
            shutil.copyfile(data / name, unfinished / name)
        unfinished.rename(folder)
    return Split(folder)


def figures(
    scores: np.ndarray, users: list[str], items: list[str], held_out: dict[str, Any]
) -> tuple[float, float]:
    """Measure HR@10 and NDCG@10 of the held-out items.

    Args:
      scores: float [users, items].
      users: raw ids of the rows.
      items: raw ids of the columns, what may be listed.
      held_out: see Split.held_out.
    """
    column = {item: number for number, item in enumerate(items)}
    row = {user: number for number, user in enumerate(users)}
    gains = []
    for user, (before, target) in held_out.items():
        if target not in column or user not in row:
            gains.append(0.0)
            continue
        own = scores[row[user]].copy()
        score = own[column[target]]
        own[[column[item] for item in before if item in column]] = -np.inf
        own[column[target]] = -np.inf
        rank = int(np.sum(own >= score))
        gains.append(1 / np.log2(rank + 2) if rank < K else 0.0)
    return float(np.mean(np.asarray(gains) > 0)), float(np.mean(gains))


def run_theirs(name: str, split: Split, options: argparse.Namespace) -> dict[str, Any]:
    """Train LibRecommender's model; its figures, and those of validation by epoch."""
    by_epoch: list[float] = []
    valid = split.held_out(2)

    def validate(scores: np.ndarray, users: list[str], items: list[str]) -> None:
        by_epoch.append(figures(scores, users, items, valid)[1])
        print(f"  epoch {len(by_epoch)}: NDCG@{K} {by_epoch[-1]:.4f}", file=sys.stderr)

    begun = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        _fit_theirs(name, split, 2, options.epochs, options.seed, validate)
        best = int(np.argmax(by_epoch)) + 1
        last = _fit_theirs(name, split, 1, best, options.seed, lambda *_: None)
    seconds = time.perf_counter() - begun
    return _result(figures(*last, split.held_out(1)), best, by_epoch[best - 1], seconds)


def _fit_theirs(
    name: str,
    split: Split,
    last: int,
    epochs: int,
    seed: int,
    after_epoch: Callable[[np.ndarray, list[str], list[str]], None],
) -> tuple[np.ndarray, list[str], list[str]]:
    """Train on all but the last interactions of each user; the scores, with users and items."""
    import pandas as pd
    import tensorflow as tf
    from libreco.algorithms import TwoTower
    from libreco.data import DatasetFeat

    tf.compat.v1.reset_default_graph()
    rows = []
    for user, items in split.histories.items():
        gender, age, occupation, _ = split.users[user]
        for item in items[:-last]:
            # Three columns of genres, as in the examples of LibRecommender.
            genres = (split.items[item][1].split("|") + ["missing"] * 3)[:3]
            rows.append((user, item, 1, gender, int(age), occupation, *genres))
    genre_columns = ["genre1", "genre2", "genre3"]
    user_columns = ["sex", "age", "occupation"]
    frame = pd.DataFrame(rows, columns=["user", "item", "label", *user_columns, *genre_columns])
    data, info = DatasetFeat.build_trainset(
        frame,
        user_columns,
        genre_columns,
        sparse_col=["sex", "occupation", *genre_columns],
        dense_col=["age"],
    )
    arguments = {**SHARED, **THEIRS[name], "n_epochs": epochs, "seed": seed}
    model = TwoTower("ranking", info, **arguments)
    users = [info.id2user[number] for number in range(info.n_users)]
    items = [info.id2item[number] for number in range(info.n_items)]

    def scores() -> np.ndarray:
        return model.user_embeds_np[: info.n_users] @ model.item_embeds_np[: info.n_items].T

    compute = model.set_embeddings

    # Called after each epoch, since verbose is 2.
    def set_embeddings() -> None:
        compute()
        after_epoch(scores(), users, items)

    model.set_embeddings = set_embeddings
    model.fit(data, neg_sampling=True, verbose=2, shuffle=True)
    return scores(), users, items


def run_ours(name: str, split: Split, options: argparse.Namespace) -> dict[str, Any]:
    """Run our pipeline; the pushed model's figures, and validation's by epoch."""
    folder = pathlib.Path(options.output).absolute()
    summary_file = folder / f"{name.replace(', ', '-').replace(' ', '-')}-seed{options.seed}.json"
    settings = [
        *OURS[name],
        f"trainer.seed={options.seed}",
        f"trainer.epochs={options.epochs}",
        # What is measured here is pushed whatever it reaches.
        "gate.must_beat_popularity=false",
        "gate.max_drop=null",
    ]
    command = [sys.executable, str(REPOSITORY / "local_runner.py"), "--preset=ml-1m-two-tower"]
    command += [f"--data={folder / 'split'}", "--format=ml-1m", f"--output={folder / 'pipeline'}"]
    command += [f"--summary={summary_file}", *(f"--set={setting}" for setting in settings)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    summary = json.loads(summary_file.read_text(encoding="utf-8"))
    training = summary["training"]
    best = training["best_epoch"]
    return _result(
        figures(*_our_scores(summary["pushed_model"], split), split.held_out(1)),
        best,
        training["best_validation"]["ndcg"],
        training["seconds"] + training["refit_seconds"],
    )


def _our_scores(path: str, split: Split) -> tuple[np.ndarray, list[str], list[str]]:
    """Ask a pushed model for its scores of the items of the training data."""
    import tensorflow as tf

    model = tf.saved_model.load(path)
    catalog = [item.decode() for item in model.signatures["catalog"]()["item_id"].numpy()]
    known = {item for before, _ in split.held_out(1).values() for item in before}
    kept = [number for number, item in enumerate(catalog) if item in known]
    users, parts = list(split.histories), []
    for start in range(0, len(users), 512):
        asked = tf.constant(users[start : start + 512])
        parts.append(model.signatures["scores"](user_id=asked)["score"].numpy()[:, kept])
    return np.concatenate(parts), users, [catalog[number] for number in kept]


def _result(found: tuple[float, float], best: int, valid: float, seconds: float) -> dict[str, Any]:
    return {
        "hr": found[0],
        "ndcg": found[1],
        "best_epoch": best,
        "valid_ndcg": valid,
        "seconds": seconds,
    }


def popularity(split: Split) -> tuple[float, float]:
    """Measure the ranking by interactions of all but the test items."""
    held_out = split.held_out(1)
    count: dict[str, int] = {}
    for before, _ in held_out.values():
        for item in before:
            count[item] = count.get(item, 0) + 1
    scores = np.broadcast_to(np.asarray(list(count.values()), float), (len(held_out), len(count)))
    return figures(scores, list(held_out), list(count), held_out)


def _rows(path: pathlib.Path) -> Iterator[list[str]]:
    with path.open(encoding="latin-1") as file:
        for line in file:
            yield line.rstrip("\n").split("::")


def main() -> None:
    """Print a line a variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("system", choices=["ours", "theirs"])
    parser.add_argument("--data", required=True, type=pathlib.Path, help="folder of raw ML-1M")
    parser.add_argument("--output", default="output/librecommender", type=pathlib.Path)
    parser.add_argument("--variant", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--epochs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=42, help="default: %(default)s")
    options = parser.parse_args()
    run, variants = (
        (run_ours, list(OURS)) if options.system == "ours" else (run_theirs, list(THEIRS))
    )
    names = options.variant or variants
    if unknown := sorted(set(names) - set(variants)):
        parser.error(f"--variant: expected some of {', '.join(variants)}, got {unknown[0]!r}.")
    split = write_split(options.data, options.output / "split")
    print(f"| system | variant | HR@{K} | NDCG@{K} | epoch | NDCG@{K} on valid | seconds |")
    print("|---|---|---|---|---|---|---|")
    print("| popularity | | {:.4f} | {:.4f} | | | |".format(*popularity(split)), flush=True)
    for name in names:
        found = run(name, split, options)
        cells = [f"{found[key]:.4f}" for key in ("hr", "ndcg")]
        cells += [
            str(found["best_epoch"]),
            f"{found['valid_ndcg']:.4f}",
            f"{found['seconds']:,.0f}",
        ]
        print(f"| {options.system} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
