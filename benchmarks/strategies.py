"""Examples per second and losses of the distribution strategies on this machine's CPU.

Prints a Markdown table: each strategy in processes and on logical devices of its
own, one after the other, on ML-1M or on random data of its size. All share this
machine's cores, so the speeds say what a strategy costs and not what
further machines gain. The loss is that of the last epoch, its difference the one
to `none`; the positives, negatives and first weights are the same everywhere.

    python benchmarks/strategies.py [--data DIR] [--epochs N] [--batch N]
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
      strategy: a value of trainer.strategy.
      devices: logical devices a process.
      kinds: of the processes in TF_CONFIG; empty for a process alone.
    """

    strategy: str
    devices: int = 1
    kinds: tuple[str, ...] = ()


CASES = (
    Case("none"),
    Case("one_device"),
    Case("mirrored", devices=2),
    Case("mirrored", devices=4),
    Case("multi_worker_mirrored", kinds=("chief", "worker")),
    Case("multi_worker_mirrored", devices=2, kinds=("chief", "worker")),
    Case("parameter_server", kinds=("chief", "worker", "ps")),
    Case("parameter_server", kinds=("chief", "worker", "worker", "ps")),
)


def main() -> None:
    """Run the cases, or one process of a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of ML-1M's raw files; random when left out")
    parser.add_argument("--interactions", type=int, default=994_169, help="of the random data")
    parser.add_argument("--epochs", type=int, default=3, help="the fastest after the first counts")
    parser.add_argument("--batch", type=int, default=8192, help="positives a step")
    parser.add_argument("--member", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.member:
        member(options)
        return
    print("| strategy | processes | devices each | examples/s | of `none` | loss | difference |")
    print("|---|---|---|---|---|---|---|")
    first: dict[str, float] | None = None
    for case in CASES:
        figures = run(case, options)
        first = first or figures
        share = figures["speed"] / first["speed"]
        difference = figures["loss"] - first["loss"]
        processes = ", ".join(
            f"{case.kinds.count(kind)} {kind}" for kind in dict.fromkeys(case.kinds)
        )
        print(
            f"| `{case.strategy}` | {processes or 1} | {case.devices} | "
            f"{figures['speed'] / 1000:,.0f} k | {share:.2f} | {figures['loss']:.6f} | "
            f"{difference:+.1e} |",
            flush=True,
        )


def run(case: Case, options: argparse.Namespace) -> dict[str, float]:
    """Speed and loss that the process which writes has found."""
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "result.json"
        settings = {"strategy": case.strategy, "devices": case.devices, "result": str(result)}
        command = [sys.executable, __file__, "--member", json.dumps(settings)]
        for name, value in vars(options).items():
            if value is not None:
                command.append(f"--{name}={value}")
        with started(command, case.kinds) as processes:
            codes = [process.wait() for process in processes]
        if any(codes):
            raise SystemExit(f"{case}: its processes ended with {codes}")
        figures: dict[str, float] = json.loads(result.read_text())
        return figures


@contextlib.contextmanager
def started(command: list[str], kinds: tuple[str, ...]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start the processes of a case; none is left behind."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in kinds]
    jobs: dict[str, list[str]] = {}
    tasks = []
    for kind, one in zip(kinds, sockets, strict=True):
        tasks.append({"type": kind, "index": len(jobs.setdefault(kind, []))})
        jobs[kind].append(f"127.0.0.1:{one.getsockname()[1]}")
        one.close()
    alone = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    environments = [
        {**alone, "TF_CONFIG": json.dumps({"cluster": jobs, "task": task})} for task in tasks
    ] or [alone]
    processes = [subprocess.Popen(command, env=environment) for environment in environments]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def member(options: argparse.Namespace) -> None:
    """Train as one process of a case; the one that writes leaves the figures."""
    import tensorflow as tf

    from benchmarks import training
    from trainer.config.trainer import TrainerConfig
    from trainer.distribution.cluster_task import CHIEF, read_cluster_task
    from trainer.distribution.parameter_server import serve
    from trainer.distribution.strategy import make_distribution

    case = json.loads(options.member)
    tf.config.set_visible_devices([], "GPU")
    logical = [tf.config.LogicalDeviceConfiguration()] * case["devices"]
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, logical)
    config = TrainerConfig(
        strategy=case["strategy"],
        epochs=options.epochs,
        batch_size=options.batch,
        neumf=training.SMALL,
    )
    task = read_cluster_task()
    if config.strategy == "parameter_server" and task.kind != CHIEF:
        serve(task, case["result"])
        return
    distribution = make_distribution(config, task)
    if options.data:
        lists = training.real(options.data)
    else:
        lists = training.synthetic(training.USERS, training.ITEMS, options.interactions)
    epochs = training.fit(config, lists, training.ITEMS, distribution)
    if task.writes:
        figures = {"speed": training.fastest(epochs), "loss": epochs[-1].loss}
        unfinished = pathlib.Path(case["result"] + ".unfinished")
        unfinished.write_text(json.dumps(figures))
        unfinished.rename(case["result"])
    distribution.wait_for_all()


if __name__ == "__main__":
    main()
