"""A small pipeline that is disturbed and plainly started again.

The folders before each component are kept from one undisturbed run, so that a round
costs what comes after its fault. After a round the run has ended as the undisturbed
one did, nothing but whole versions of blessed models was ever served, and nothing is
left that a finished run has no use for.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import time

from tests.support import forks, synthetic
from tests.support.served_watch import Watch

CHILD = pathlib.Path(__file__).with_name("child.py")
# A round starts two processes or three, which would each take seconds to import these.
forks.preload(
    *("local_runner", "pipeline.pipeline", "pipeline.runners.local", "pipeline.metadata.store_id"),
    *("pipeline.reports.sample_recommendations", "components.evaluator.executor"),
    *("components.trainer.executor", "trainer.run_fn", "transform.preprocessing"),
)
# With how often each is hit: those that take less of a round's time, more often.
COMPONENTS = {
    "InteractionsExampleGen": 1,
    "InteractionsStatistics": 1,
    "Transform": 2,
    "RecommenderTrainer": 5,
    "Evaluator": 5,
    "Pusher": 9,
}
DONE = "done"
SETTINGS = (
    *("evaluation.slices=[]", "evaluation.metrics=[hr, ndcg]", "evaluation.protocols={full: {}}"),
    *("gate.protocol=full", "gate.must_beat_popularity=false"),
    *("trainer.validation_protocol=full", "trainer.patience=0", "trainer.model=mf"),
    *("trainer.epochs=4", "trainer.jit_compile=false"),
)
# Bytes of the disk that is filled, where one can be had.
_DISK = 160 << 20


@dataclasses.dataclass
class Result:
    """Of a round.

    Attributes:
      fault: in words.
      problems: sentences on what does not hold.
    """

    fault: str
    problems: list[str]


class Workplace:
    """The pipeline, its folders, and what a round of a fault consists of.

    Args:
      folder: an empty one.
      told: takes a line on each round.
      components: that are hit, in their order, with how often.
    """

    def __init__(self, folder, told=print, components=COMPONENTS):
        self._folder, self._told, self._components = folder, told, components
        self._disk = folder / "disk"
        self._kept = folder / "kept"
        self._temporary = folder / "tmp"
        for made in (self._disk, self._kept, self._temporary):
            made.mkdir()
        # As root, a disk of its own, which can be filled and made read-only.
        mounting = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "chaos", str(self._disk)]
        self.has_disk = os.getuid() == 0 and _succeeds(mounting)
        self._work = self._disk / "work"
        self._served = self._work / "served"
        self._begun = folder / "begun"
        self._filler = self._disk / "filler"
        self._data = synthetic.write(folder / "data", "ml-100k", users=40, items=30).folder
        self._watch = Watch(self._served)

    def close(self):
        self._watch.close()
        if self.has_disk:
            subprocess.run(["umount", "--lazy", str(self._disk)], check=True)

    def _start(self, fault, *settings, output="out", serving=None):
        command = [sys.executable, CHILD, json.dumps({"kind": "none", "at": "-", **fault})]
        command += [f"--data={self._data}", f"--output={self._work / output}"]
        command += [f"--serving={serving or self._served}"]
        command += [it for setting in (*SETTINGS, *settings) for it in ("--set", setting)]
        self._begun.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "TMPDIR": str(self._temporary),
            "TF_USE_LEGACY_KERAS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        return forks.Fork(command, self._folder, environment)

    def prepare(self):
        """Runs once undisturbed, and keeps what was there before each component."""
        self._work.mkdir()
        measured = self._folder / "cost.json"
        self._cost = {}
        for component in (*self._components, DONE):
            # Before the first thing that it does.
            fault = {"kind": "kill", "at": component, "delay": 0.0, "measured": str(measured)}
            run = self._start(fault)
            out, err = run.communicate()
            assert run.returncode == (0 if component == DONE else -9), out + err
            self._keep(component)
            # What the run before it had done came from the cache.
            self._cost = {**json.loads(measured.read_text()), **self._cost}
        self._expected = self._summary()
        self._told(f"operations and seconds of the components: {self._cost}")

    def _keep(self, name):
        shutil.copytree(self._work, self._kept / name, symlinks=True)

    def _restore(self, name):
        shutil.rmtree(self._work)
        shutil.copytree(self._kept / name, self._work, symlinks=True)
        for entry in self._temporary.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _summary(self, output="out"):
        return json.loads((self._work / output / "summary.json").read_text())

    def _disturb(self, name, component, fault, *settings, meanwhile=None, mend=None, code=0):
        """Restores, runs with a fault, mends what is broken outside and runs again."""
        problems = []
        self._restore(component)
        self._watch.start()
        run = self._start({"at": component, **fault}, *settings)
        try:
            if meanwhile is not None:
                meanwhile(run)
            out, err = run.communicate()
        finally:
            if mend is not None:
                mend()
        if "Traceback" in out + err:
            problems.append(f"the run with the fault shows a traceback: {err[-600:]}")
        name += f" (exit code {run.returncode})"
        return self._again(name, problems, *settings, code=code)

    def _again(self, name, problems, *settings, code=0):
        run = self._start({}, *settings)
        out, err = run.communicate()
        wrong, versions = self._watch.stop()
        problems += wrong
        if run.returncode != code:
            problems.append(f"exit code {run.returncode} of the restart: {(out + err)[-800:]}")
        else:
            problems += self._compare(versions, code)
        problems += self._scratch()
        return Result(name, problems)

    def _compare(self, versions, code):
        summary = self._summary()
        found, expected = (
            _figures(summary["metrics"]),
            _figures(self._expected["metrics"]),
        )
        if found != expected:
            yield f"metrics {found}, expected {expected}"
        if code:
            if versions:
                yield f"{versions} served of models that were not blessed"
        elif not (pathlib.Path(summary["pushed_model"]) / "saved_model.pb").exists():
            yield f"{summary['pushed_model']} is not served"

    def _scratch(self):
        """What is left that a finished run has no use for."""
        left = [
            path
            for folder in (self._work, self._temporary)
            for path in folder.rglob("*")
            if ".unfinished-" in path.name
            or path.name.endswith((".lease", ".temp", ".part"))
            or (path.parent.name == "checkpoints" and path.parent.parent.parent == self._work)
            or path.parent == self._temporary
        ]
        recorded = sqlite3.connect(self._work / "out/metadata.sqlite").execute(
            "SELECT uri FROM Artifact"
        )
        made = {uri for (uri,) in recorded}
        artifacts = (self._work / "out/artifacts").glob("*/[!.]*/*")
        left += [path for path in artifacts if path.name.isdigit() and str(path) not in made]
        if left:
            yield f"left behind: {', '.join(str(p.relative_to(self._folder)) for p in left[:6])}"

    def _wait_until_begun(self, run):
        while not self._begun.exists() and run.poll() is None:
            time.sleep(0.005)


def _figures(metrics):
    """The figures of the model itself; what it was compared with depends on earlier pushes."""
    overall = metrics[0]["metrics"]
    return {name: figure for name, figure in overall.items() if "baseline" not in name}


def _succeeds(command):
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
