"""The table of models: each is trained through the pipeline, one Markdown line each.

Behind the README's results. Without `--filter` these are the models on He et
al.'s split, for which `--data` is wanted; it may be any other folder, or
`synthetic:...`. A preset of another data set is a line when `--filter` names it,
and obtains its data itself. Lines of one data set share an output folder, so
the data is read once. What lies there with the same settings is not run
again: start the same command again after a kill; after an edit of the sources
take another `--output`. Lines go to standard output, progress to standard error.

    python benchmarks/models.py [--data DIR] [--output DIR] [--filter NAME ...]
        [--seeds N ...] [--set KEY=VALUE ...]

HR@k and NDCG@k are those of `test` with half of the 95 % interval over users,
or their mean and deviation over the seeds; epochs are the best on `valid`, after
how many, pretraining's first; seconds are all training, on train and once more
on train and valid.
"""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import json
import os
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from pipeline.config import presets
from pipeline.config import run as configuration
from pipeline.datasets.synthetic_config import PREFIX
from schema import settings
from schema.errors import UserError

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
# Nothing is to be served from here: with no model ever blessed, none is compared
# with the one before it, and no order of the variants matters.
COMMON = ("gate.min_hr=1.0",)
TRAINED = (0, 3)
CELLS = [f"{m}@{{k}}_{p}" for p in ("sampled", "full") for m in ("hr", "ndcg")]

# He et al.'s widths of 64 predictive factors; set at once, as they must agree.
_MLP = "hidden_units: [256, 128, 64], l2_mlp: [0, 0, 0]"
_LOSS = "trainer.two_tower.loss"


@dataclasses.dataclass(frozen=True)
class Variant:
    """A line of the table: a preset, and what is set on it."""

    preset: str
    assignments: tuple[str, ...] = ()


VARIANTS = {
    "popularity": Variant("ncf-ml-1m-popularity"),
    "itemknn": Variant("ncf-ml-1m-itemknn"),
    "ease": Variant("ncf-ml-1m-ease"),
    "ials": Variant("ncf-ml-1m-ials"),
    "mf": Variant("ncf-ml-1m-mf"),
    "gmf": Variant(
        "ncf-ml-1m-neumf",
        (
            "trainer.model=gmf",
            "trainer.neumf.embedding_dim=32",
            "trainer.batch_size=1024",
            "trainer.learning_rate=0.001",
            "trainer.epochs=30",
        ),
    ),
    "mlp": Variant(
        "ncf-ml-1m-neumf",
        (
            "trainer.model=mlp",
            f"trainer.neumf={{{_MLP}}}",
            "trainer.batch_size=1024",
            "trainer.learning_rate=0.001",
        ),
    ),
    "neumf": Variant("ncf-ml-1m-neumf"),
    # Pretraining on Adam, fine-tuning on SGD: section 3.4.1 of the paper.
    "neumf-pretrained": Variant(
        "ncf-ml-1m-neumf",
        (
            f"trainer.neumf={{embedding_dim: 64, {_MLP}}}",
            "trainer.neumf.pretrain={gmf_epochs: 20, mlp_epochs: 20}",
            "trainer.batch_size=1024",
            "trainer.optimizer.name=sgd",
            "trainer.learning_rate=0.01",
            "trainer.epochs=10",
        ),
    ),
    "two-tower-softmax": Variant("ncf-ml-1m-two-tower"),
    "two-tower-cross-entropy": Variant(
        "ncf-ml-1m-two-tower", (f"{_LOSS}=cross_entropy", "trainer.epochs=20")
    ),
    "two-tower-max-margin": Variant(
        "ncf-ml-1m-two-tower", (f"{_LOSS}=max_margin", "trainer.epochs=20")
    ),
    "two-tower-bpr": Variant("ncf-ml-1m-two-tower", (f"{_LOSS}=bpr", "trainer.epochs=20")),
}
OF_PRESETS = {name: Variant(name) for name in presets.PRESETS if not name.startswith("ncf-")}
LINES = {**VARIANTS, **OF_PRESETS}


def main() -> int:
    """Print the table; 1 where a variant failed."""
    options = _parser().parse_args()
    try:
        names = _names(options.filter)
        configs = {
            (name, seed): _configure(LINES[name], seed, options)
            for name in names
            for seed in options.seeds
        }
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    k = next(iter(configs.values())).evaluation.k
    titles = [f"{m}@{k} {p}" for p in ("sampled", "full") for m in ("HR", "NDCG")]
    _line("model", *titles, "train s", "examples/s", "epochs")
    _line("---", *["---:"] * 7)
    failed = False
    for name in names:
        rows = []
        for seed in options.seeds:
            summary = _result(name, seed, configs[name, seed], options)
            if summary is None:
                failed = True
                continue
            rows.append(summary)
            label = f"{name}, seed {seed}" if len(options.seeds) > 1 else name
            _line(label, *_cells(summary, k))
        if len(rows) > 1:
            _line(f"{name}, {len(rows)} seeds: mean ±sd", *_spread(rows, k))
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of He et al.'s split, or another")
    parser.add_argument("--output", default="output/models", help="default: %(default)s")
    parser.add_argument(
        "--filter",
        metavar="NAME",
        nargs="+",
        default=list(VARIANTS),
        help=f"{', '.join(LINES)}; or '*-bpr'; default: those of He et al.'s split",
    )
    parser.add_argument("--seeds", metavar="N", type=int, nargs="+", default=[42])
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="for all variants"
    )
    return parser


def _names(patterns: list[str]) -> list[str]:
    """Return the variants that some pattern fits, in the order of the table."""
    for pattern in patterns:
        if not fnmatch.filter(LINES, pattern):
            settings.check_choice("--filter", pattern, tuple(LINES))
    return [name for name in LINES if any(fnmatch.fnmatch(name, p) for p in patterns)]


def _arguments(variant: Variant, seed: int, options: argparse.Namespace) -> list[str]:
    """Return what is set on the variant's preset, in this order."""
    data = options.data
    if data is None and variant not in OF_PRESETS.values():
        raise UserError("--data: expected the folder of He et al.'s split, got none.")
    source = []
    if data is not None:
        if not data.startswith(PREFIX) and "://" not in data:
            data = os.path.abspath(data)
        source = [f"data.path={json.dumps(data)}", "data.format=auto"]
    return [*source, *COMMON, *variant.assignments, f"trainer.seed={seed}", *options.set]


def _configure(variant: Variant, seed: int, options: argparse.Namespace) -> configuration.RunConfig:
    return configuration.override(presets.get(variant.preset), _arguments(variant, seed, options))


def _result(
    name: str, seed: int, config: configuration.RunConfig, options: argparse.Namespace
) -> dict[str, Any] | None:
    """Return the summary of a variant, which is run unless it was; None where it failed."""
    folder = pathlib.Path(options.output).absolute()
    file = folder / f"{name}-seed{seed}.json"
    if file.exists():
        summary = json.loads(file.read_text(encoding="utf-8"))
        if summary["configuration"] == settings.to_dict(config):
            return summary
    variant = LINES[name]
    command = [sys.executable, str(REPOSITORY / "local_runner.py"), f"--preset={variant.preset}"]
    command += [f"--output={folder / config.pipeline_name}", f"--summary={file}"]
    command += [f"--set={assignment}" for assignment in _arguments(variant, seed, options)]
    print(f"{name}, seed {seed}", file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in TRAINED:
        print(f"{name}, seed {seed}: failed with exit code {done.returncode}", file=sys.stderr)
        return None
    result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return result


def _cells(summary: dict[str, Any], k: int) -> Iterator[str]:
    """Write a variant's line."""
    overall = summary["metrics"][0]["metrics"]
    for cell in CELLS:
        figure = overall[cell.format(k=k)]
        yield f"{figure['value']:.4f} ±{(figure['upper'] - figure['lower']) / 2:.4f}"
    training = summary["training"]
    stages = [*training["pretraining"], training]
    speed = training["examples_per_second"]
    yield f"{_seconds(summary):,.0f}"
    yield f"{speed:,.0f}" if speed else ""
    yield " + ".join(f"{stage['best_epoch']}/{stage['epochs']}" for stage in stages)


def _spread(summaries: list[dict[str, Any]], k: int) -> Iterator[str]:
    """Means over seeds."""
    for cell in CELLS:
        values = [s["metrics"][0]["metrics"][cell.format(k=k)]["value"] for s in summaries]
        yield f"{statistics.mean(values):.4f} ±{statistics.stdev(values):.4f}"
    yield f"{statistics.mean(map(_seconds, summaries)):,.0f}"
    yield ""
    yield ""


def _seconds(summary: dict[str, Any]) -> float:
    training = summary["training"]
    before = sum(stage["seconds"] for stage in training["pretraining"])
    return float(before + training["seconds"] + training["refit_seconds"])


def _line(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
