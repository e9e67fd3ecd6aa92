"""Rows per second of the example generators, and of the stock CsvExampleGen.

Each side runs in one process on Beam's in-memory runner, on the same ratings in
the layout of ML-1M: `ours`, the interactions generator, from the raw
`ratings.dat` and `users.dat`; `stock` from the ratings written as CSV; `catalog`,
the catalog generator, from `movies.dat` and the ratings, whose items it wants;
`items`, the same without the ratings. Interpreter start and imports are not
counted.

    python benchmarks/example_gen.py --data DIR [--rows N] [--repeats R] [--sides NAMES]

`--rows` limits the stock run to the first N ratings; its rows per second are
then taken to hold for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
BEAM_ARGS = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]
SIDES = ("ours", "stock", "catalog", "items")


def main() -> None:
    """Run each side in a process of its own and print all, and how ours does beside the stock."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of ML-1M's raw files")
    parser.add_argument("--rows", type=int, help="ratings of the stock run; all by default")
    parser.add_argument("--repeats", type=int, default=1, help="runs a side; the fastest counts")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=["ours", "stock"])
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side, options.data, options.rows)))
        return
    speeds = {}
    for side in options.sides:
        runs = [run_side(side, options) for _ in range(options.repeats)]
        best = min(runs, key=lambda run: run["seconds"])
        speeds[side] = best["rows"] / best["seconds"]
        print(
            f"{side}: {best['rows']:,} rows in {best['seconds']:.2f} s "
            f"({best['cpu']:.2f} s of CPU), {speeds[side]:,.0f} rows/s"
        )
    if {"ours", "stock"} <= speeds.keys():
        print(f"ratio: {speeds['ours'] / speeds['stock']:.1f}")


def run_side(side: str, options: argparse.Namespace) -> dict[str, float]:
    """One measurement in a fresh process."""
    command = [sys.executable, __file__, "--data", options.data, "--side", side]
    if options.rows:
        command += ["--rows", str(options.rows)]
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(side: str, data: str, rows: int | None) -> dict[str, float]:
    """Time one component's executor, in this process."""
    from tfx.components import CsvExampleGen
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import standard_artifacts

    from components.example_gen import executor as executors
    from components.example_gen.component import CatalogExampleGen, InteractionsExampleGen
    from components.example_gen.config import IngestConfig
    from components.formats import base

    with tempfile.TemporaryDirectory() as folder:
        count = count_rows(data)
        if side == "items":
            executors.CATALOG_ROLES = (base.ITEMS,)
        if side == "ours":
            component = InteractionsExampleGen(data, "ml-1m", IngestConfig(), "")
        elif side in ("catalog", "items"):
            component = CatalogExampleGen(data, "ml-1m", "")
        else:
            count = write_csv(data, pathlib.Path(folder) / "csv", rows)
            component = CsvExampleGen(input_base=str(pathlib.Path(folder) / "csv"))
        artifact = standard_artifacts.Examples()
        artifact.uri = str(pathlib.Path(folder) / "examples")
        context = BaseBeamExecutor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=folder)
        executor = component.executor_spec.executor_class(context)
        start, cpu = time.perf_counter(), time.process_time()
        executor.Do({}, {"examples": [artifact]}, dict(component.exec_properties))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        return {"rows": count, "seconds": seconds, "cpu": cpu}


def count_rows(data: str) -> int:
    """Ratings in the raw file."""
    with open(pathlib.Path(data) / "ratings.dat", "rb") as file:
        return sum(1 for _ in file)


def write_csv(data: str, folder: pathlib.Path, rows: int | None) -> int:
    """Write the first `rows` ratings as CSV; returns how many."""
    folder.mkdir()
    count = 0
    with (
        open(pathlib.Path(data) / "ratings.dat", encoding="ascii") as source,
        open(folder / "ratings.csv", "w", encoding="ascii") as target,
    ):
        target.write("user_id,item_id,rating,timestamp\n")
        for line in source:
            if count == rows:
                break
            target.write(line.replace("::", ","))
            count += 1
    return count


if __name__ == "__main__":
    main()
