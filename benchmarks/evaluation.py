"""Seconds and peak memory of an evaluation, by users and items.

A model with random weights is evaluated on a made-up test split by the Evaluator component, with
the protocols, metrics, slices and intervals of the default settings. The ranking is also timed by
itself, which tells the part of Beam, TFMA and the metrics. Sizes are USERSxITEMS; each is measured
in a process of its own, so that peaks do not mix.

    python benchmarks/evaluation.py [--sizes 6040x3706 ...] [--model NAME] [--baseline]
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

SIZES = ("6040x3706", "30000x20000")
# ML-1M's mean length of a history.
HISTORY = 165


def main() -> None:
    """Print a line a size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="USERSxITEMS")
    parser.add_argument("--model", default="two_tower", help="one of trainer.config.MODELS")
    parser.add_argument("--baseline", action="store_true", help="compare with a blessed model")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    # `make bench` hands the arguments of the others along.
    options, _ = parser.parse_known_args()
    for size in options.sizes:
        users, items = map(int, size.split("x"))
        if options.one:
            print(json.dumps(measure(users, items, options.model, options.baseline)))
            return
        command = [sys.executable, __file__, "--one", "--model", options.model, "--sizes", size]
        command += ["--baseline"] * options.baseline
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        figures = json.loads(result.stdout.splitlines()[-1])
        print(f"{users:,} users x {items:,} items, {options.model}:", end=" ")
        print(", ".join(f"{name} {value:,.1f}" for name, value in figures.items()), flush=True)


def measure(users: int, items: int, model: str, baseline: bool) -> dict[str, float]:
    """Seconds of each step by the clock and of all cores, and the peak memory so far in MiB."""
    import components.evaluator.executor  # noqa: F401 - TFX's import is not what is measured.

    figures = {}

    def timed(name, function, *arguments):
        begin, work = time.monotonic(), time.process_time()
        function(*arguments)
        figures[f"{name} s"] = time.monotonic() - begin
        figures[f"{name} CPU s"] = time.process_time() - work
        figures[f"peak after {name} MiB"] = peak()

    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        path = root / "exported" / "Format-Serving"
        # Making the data takes memory too, which the Evaluator's peak must not show.
        process = multiprocessing.get_context("spawn").Process(
            target=make, args=(root, users, items, model)
        )
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)
        timed("Evaluator", evaluate, root, baseline)
        timed("ranking alone", rank_all, path, root / "examples" / "Split-test")
    return figures


def make(root: pathlib.Path, users: int, items: int, model: str) -> None:
    """Write a test split and an exported model."""
    histories = make_histories(users, items)
    write_split(root / "examples" / "Split-test", histories, items)
    export_model(str(root / "exported" / "Format-Serving"), model, histories, items)


def peak() -> float:
    """Most memory that the process has had so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def make_histories(users: int, items: int):
    """Items of users, popular ones more often: positions and row splits; the last is the target."""
    import numpy as np

    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(np.log(HISTORY) - 0.5, 1.0, users), 20, items // 2)
    splits = np.concatenate([[0], np.cumsum(lengths.astype(np.int64))])
    positions = (items * random.random(splits[-1]) ** 3).astype(np.int32)
    return positions, splits


def write_split(folder: pathlib.Path, histories, items: int) -> None:
    """Write the test split as InteractionsExampleGen would, uncompressed."""
    import tensorflow as tf
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    folder.mkdir(parents=True)
    encoder = RecordBatchToExamplesEncoder()
    options = tf.io.TFRecordOptions("GZIP", compression_level=1)
    with tf.io.TFRecordWriter(str(folder / "data.gz"), options) as writer:
        for batch in record_batches(histories):
            for example in encoder.encode(batch):
                writer.write(example)


def record_batches(histories, rows: int = 4096) -> Iterator:
    """Rows as Arrow record batches."""
    import numpy as np
    import pyarrow as pa

    from schema import features

    positions, splits = histories
    random = np.random.default_rng(1)
    for start in range(0, len(splits) - 1, rows):
        ends = splits[start : start + rows + 1]
        own = positions[ends[0] : ends[-1]]
        count, ends = len(ends) - 1, ends - ends[0]
        is_target = np.zeros(len(own), bool)
        is_target[ends[1:] - 1] = True
        names = np.char.add("i", own.astype(str)).astype(object)

        def lists(values, each=1, kind=None, count=count):
            splits_of_lists = np.arange(count + 1, dtype=np.int64) * each
            splits_of_lists = splits_of_lists if np.isscalar(each) else each
            return pa.LargeListArray.from_arrays(splits_of_lists, pa.array(values, kind))

        seen = ends - np.arange(count + 1)
        columns = {
            features.USER_ID: lists([b"u%d" % row for row in range(start, start + count)]),
            features.GENDER: lists(random.choice([b"F", b"M"], count).tolist()),
            features.AGE: lists(random.choice([1, 18, 25, 35, 45, 50, 56], count)),
            features.OCCUPATION: lists([b"%d" % job for job in random.integers(0, 21, count)]),
            features.ITEM_ID: pa.LargeListArray.from_arrays(
                seen, pa.array(names[~is_target], pa.large_binary())
            ),
            features.TARGET_ITEM_ID: lists(names[is_target], kind=pa.large_binary()),
            features.TARGET_RATING: lists(np.full(count, 4, np.float32)),
        }
        yield pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def export_model(path: str, name: str, histories, items: int) -> None:
    """Export a model with initial weights."""
    import numpy as np

    from schema import features
    from trainer.config.trainer import TrainerConfig
    from trainer.config.two_tower import TwoTowerConfig
    from trainer.data.catalog import Catalog
    from trainer.data.interactions import UserTable
    from trainer.models import registry
    from trainer.models.base import DataSizes
    from trainer.serving.export import export
    from trainer.serving.scorer import Scorer
    from trainer.serving.signatures import ServingModel

    positions, splits = histories
    users = len(splits) - 1
    random = np.random.default_rng(2)
    catalog = Catalog(
        item_ids=np.asarray([b"i%d" % item for item in range(items)], object),
        titles=np.full(items, b"", object),
        buckets=np.zeros(0, np.int32),
        genres=(random.random((items, 18)) < 0.1).astype(np.float32),
        genre_names=tuple(f"genre {number}" for number in range(18)),
        year=random.integers(1930, 2020, items).astype(np.int32),
        year_index=np.zeros(items, np.int32),
        counts=np.bincount(positions, minlength=items),
        num_buckets=1,
    )
    config = TrainerConfig(model=name, two_tower=TwoTowerConfig(embedding_dim=64))
    model = registry.build(config, DataSizes(users + 1, (3, 8, 22), catalog))
    table = UserTable(
        context=np.zeros((users + 1, len(features.USER_CONTEXT)), np.int32),
        history=positions,
        history_splits=np.append(splits, splits[-1]),
    )
    names = [b"u%d" % user for user in range(users)]
    scorer = Scorer(model, table, users, catalog.counts)
    told = {features.GENDER: (b"F", b"M"), features.OCCUPATION: [b"%d" % job for job in range(21)]}
    export(ServingModel(scorer, catalog, names, 1, 10, told), path)


def rank_all(path: pathlib.Path, split: pathlib.Path) -> None:
    """Rank all rows as the Evaluator does, and name their slices."""
    from components.evaluator.measuring import RankRows, read_rows, shared_model
    from components.evaluator.ranking.wrap import wrap_for_evaluation
    from trainer.config.evaluation import EvaluationConfig

    load = functools.partial(wrap_for_evaluation, str(path), EvaluationConfig())
    rank = RankRows({"": shared_model("candidate", str(path), load).model_loader}, [()])
    rank.setup()
    for file in split.iterdir():
        for rows in read_rows(str(file)):
            for _ in rank.process(rows):
                pass


def evaluate(root: pathlib.Path, baseline: bool) -> None:
    """Run the Evaluator component on the exported model, as its own baseline too if asked for."""
    from tfx.types import artifact_utils, standard_artifacts
    from tfx.utils import json_utils, proto_utils

    from components.evaluator.eval_config import build_eval_config
    from components.evaluator.executor import Executor
    from components.evaluator.gate.config import GateConfig
    from schema.settings import to_dict
    from trainer.config.evaluation import EvaluationConfig

    def artifact(kind, path):
        made = kind()
        made.uri = str(path)
        return made

    examples = artifact(standard_artifacts.Examples, root / "examples")
    examples.split_names = artifact_utils.encode_split_names(["test"])
    model = artifact(standard_artifacts.Model, root / "exported")
    settings = {
        "evaluation": to_dict(EvaluationConfig()),
        "gate": to_dict(GateConfig()),
        "force_bless": None,
    }
    context = Executor.Context(beam_pipeline_args=[], tmp_dir=str(root / "tmp"))
    Executor(context).Do(
        {"examples": [examples], "model": [model], "baseline_model": [model] if baseline else []},
        {
            "evaluation": [artifact(standard_artifacts.ModelEvaluation, root / "evaluation")],
            "blessing": [artifact(standard_artifacts.ModelBlessing, root / "blessing")],
        },
        {
            "eval_config": proto_utils.proto_to_json(build_eval_config(EvaluationConfig(), "")),
            "example_splits": json_utils.dumps(["test"]),
            "settings": json.dumps(settings),
        },
    )


if __name__ == "__main__":
    main()
