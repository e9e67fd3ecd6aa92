"""Rounds of one fault each: a small pipeline is broken, and plainly started again.

The folders before each component are kept from one undisturbed run, so that a round
costs what comes after its fault. After a round the run has ended as the undisturbed
one did, nothing but whole versions of blessed models was ever served, and nothing is
left that a finished run has no use for.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile

from tests.support import forks, synthetic
from tests.support.archive_server import ArchiveServer
from tests.support.served_watch import Watch

CHILD = pathlib.Path(__file__).with_name("chaos_child.py")
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
REFUSED = ("gate.min_hr=1.0",)
ARCHIVE = "ml-latest-small"
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


class Chaos:
    """The pipeline, its folders and the rounds.

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
        self._server = _archive_server()

    def close(self):
        self._watch.close()
        self._server.shutdown()
        self._server.server_close()
        if self.has_disk:
            subprocess.run(["umount", "--lazy", str(self._disk)], check=True)

    # Runs of the pipeline.

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

    # Rounds.

    def round(self, draw: random.Random) -> Result:
        """Draws a fault and does it."""
        kinds = {
            self._killed_at_operation: 6,
            self._killed_at_time: 5,
            self._download_killed: 4,
            self._disk_full: 3 * self.has_disk,
            self._truncated_artifact: 3,
            self._truncated_state: 2 * ("RecommenderTrainer" in self._components),
            self._refused_and_killed: 2,
            self._read_only: 2 * self.has_disk,
            self._clock_back: 2,
            self._database_locked: 2,
            self._database_away: 1,
            self._two_runs: 1,
            self._two_outputs: 1,
        }
        (kind,) = draw.choices(list(kinds), list(kinds.values()))
        began = time.monotonic()
        result = kind(draw)
        self._told(
            f"{result.fault}: {result.problems or 'survived'} ({time.monotonic() - began:.0f} s)"
        )
        return result

    def _component(self, draw):
        (component,) = draw.choices(list(self._components), list(self._components.values()))
        return component

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

    def _killed_at_operation(self, draw):
        component = self._component(draw)
        moment = draw.randrange(max(self._cost[component]["operations"], 1))
        name = f"killed before file operation {moment} of {component}"
        return self._disturb(name, component, {"kind": "kill", "moment": moment})

    def _killed_at_time(self, draw):
        component = self._component(draw)
        delay = draw.random() * self._cost[component]["seconds"] * 1.1
        name = f"killed {delay:.2f} s after {component} began"
        return self._disturb(name, component, {"kind": "kill", "delay": delay})

    def _refused_and_killed(self, draw):
        component = draw.choice([it for it in ("Evaluator", "Pusher") if it in self._components])
        delay = draw.random() * self._cost[component]["seconds"]
        fault = {"kind": "kill", "delay": delay, "at": component}
        name = f"killed {delay:.2f} s after {component} of a model that is refused began"
        return self._disturb(name, component, fault, *REFUSED, code=3)

    def _disk_full(self, draw):
        component = self._component(draw)
        moment = draw.randrange(max(self._cost[component]["operations"], 1))
        left = draw.choice([0, 0, 4096, 20000, 100000])
        fault = {"kind": "full", "moment": moment, "left": left, "filler": str(self._filler)}
        name = f"{left} bytes left on the disk before operation {moment} of {component}"

        def make_room():
            self._filler.unlink(missing_ok=True)

        return self._disturb(name, component, fault, mend=make_room)

    def _read_only(self, draw):
        trained = ["out/checkpoints", "out/artifacts", "out"]
        below = {"RecommenderTrainer": trained, "Pusher": ["served", "out/artifacts", "served"]}
        component = draw.choice([it for it in below if it in self._components])
        place = self._work / draw.choice(below[component])

        def protect(run):
            self._wait_until_begun(run)
            place.mkdir(exist_ok=True)
            subprocess.run(["mount", "--bind", place, place], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)

        def allow():
            subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)

        name = f"{place.name} read-only from the begin of {component}"
        fault = {"begun": str(self._begun)}
        return self._disturb(name, component, fault, meanwhile=protect, mend=allow)

    def _clock_back(self, draw):
        component = self._component(draw)
        seconds = draw.choice([3600, 86400, 40 * 86400, 20 * 365 * 86400])
        fault = {"kind": "clock", "delay": 0.0, "seconds": seconds}
        return self._disturb(f"clock {seconds} s back in {component}", component, fault)

    def _database_locked(self, draw):
        component = self._component(draw)
        delay, span = draw.random() * self._cost[component]["seconds"], draw.uniform(0.2, 8.0)

        def lock(run):
            self._wait_until_begun(run)
            time.sleep(delay)
            database = sqlite3.connect(self._work / "out/metadata.sqlite", isolation_level=None)
            database.execute("BEGIN EXCLUSIVE")
            time.sleep(span)
            database.execute("COMMIT")
            database.close()

        name = f"database locked for {span:.1f} s, {delay:.1f} s after {component} began"
        return self._disturb(name, component, {"begun": str(self._begun)}, meanwhile=lock)

    def _database_away(self, draw):
        component = self._component(draw)
        delay = draw.random() * self._cost[component]["seconds"]
        database, away = self._work / "out/metadata.sqlite", self._work / "away"

        def take(run):
            self._wait_until_begun(run)
            time.sleep(delay)
            database.rename(away)
            run.wait(draw.uniform(0.5, 4.0))
            away.rename(database)

        name = f"database away, {delay:.1f} s after {component} began"
        return self._disturb(name, component, {"begun": str(self._begun)}, meanwhile=take)

    def _two_runs(self, draw):
        component = self._component(draw)
        refused = []

        def start_another(run):
            self._wait_until_begun(run)
            another = self._start({})
            out, err = another.communicate()
            if "another run is at work in this folder" not in err and run.poll() is None:
                refused.append(out + err)

        name = f"two runs in one folder from the begin of {component}"
        fault = {"begun": str(self._begun)}
        result = self._disturb(name, component, fault, meanwhile=start_another)
        result.problems.extend(f"a second run was not refused: {it}" for it in refused)
        return result

    def _two_outputs(self, draw):
        """Two outputs with one served folder, of which one is killed while both push."""
        problems = []
        if not (self._kept / "other").exists():
            self._restore(DONE)
            # Made anew beside the first, and never pushed.
            other = self._start({"kind": "kill", "at": "Pusher", "delay": 0.0}, output="other")
            other.communicate()
            assert other.returncode == -9
            shutil.copytree(self._work / "other", self._kept / "other")
        self._restore("Pusher")
        shutil.copytree(self._kept / "other", self._work / "other")
        moment = draw.randrange(2 * max(self._cost["Pusher"]["operations"], 1))
        self._watch.start()
        first = self._start({"at": "Pusher", "kind": "kill", "moment": moment})
        second = self._start({}, output="other")
        for run in (first, second):
            out, err = run.communicate()
            if "Traceback" in out + err:
                problems.append(f"traceback: {err[-600:]}")
        if second.returncode:
            problems.append(f"the second run ended with {second.returncode}: {err[-600:]}")
        name = f"two outputs push at once, one killed before operation {moment}"
        return self._again(name, problems)

    def _truncated_artifact(self, draw):
        self._restore(DONE)
        files = sorted(
            path
            for path in (self._work / "out/artifacts").rglob("*")
            if path.is_file()
            and path.stat().st_size
            and not path.name.startswith(".")
            and ".system" not in path.parts
        )
        return self._damage(draw, files, "an artifact")

    def _truncated_state(self, draw):
        # What a training that was killed in its last epochs left.
        for share in (0.9, 0.8, 0.7, 0.6):
            self._restore("RecommenderTrainer")
            delay = share * self._cost["RecommenderTrainer"]["seconds"]
            fault = {"kind": "kill", "at": "RecommenderTrainer", "delay": delay}
            self._start(fault).communicate()
            checkpoints = self._work / "out/checkpoints"
            files = sorted(path for path in checkpoints.rglob("*") if path.is_file())
            if files:
                return self._damage(draw, files, "a state")
        return Result("no state was left to truncate", [])

    def _damage(self, draw, files, what):
        path = draw.choice(files)
        size = draw.randrange(path.stat().st_size) if path.stat().st_size else 0
        os.truncate(path, size)
        self._watch.start()
        name = path.relative_to(self._work)
        return self._again(f"{what} cut to {size} bytes: {name}", [])

    def _download_killed(self, draw):
        cache = self._work / "cache"
        self._restore(next(iter(self._components)))
        cache.mkdir()
        content, problems = self._server.content, []
        damage = draw.choice(["none", "truncated archive", "truncated part", "breaks off"])
        folder = cache / "datasets"
        folder.mkdir()
        if damage.startswith("truncated"):
            left = folder / f"{ARCHIVE}.zip{'.part' if damage.endswith('part') else ''}"
            left.write_bytes(content[: draw.randrange(len(content))])
        if damage == "breaks off":
            self._server.breaks, self._server.limit = 2, draw.randrange(len(content))
        moment = draw.randrange(16)
        fault = {"kind": "kill", "at": "download", "moment": moment}
        first = self._download(fault, cache)
        self._server.breaks = 0
        last = self._download({"kind": "none", "at": "-"}, cache)
        if last.returncode:
            problems.append(f"the second download ended with {last.returncode}")
        found = {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in folder.rglob("*")
            if path.is_file() and path.suffix == ".csv"
        }
        if set(found) != {f"{ARCHIVE}/ratings.csv", f"{ARCHIVE}/movies.csv"}:
            problems.append(f"found {found}")
        extra = [path.name for path in folder.iterdir()]
        if sorted(extra) not in ([f".{ARCHIVE}.lock", ARCHIVE], [ARCHIVE]):
            problems.append(f"left behind: {extra}")
        name = f"download killed before operation {moment}, {damage} (exit code {first.returncode})"
        return Result(name, problems)

    def _download(self, fault, cache):
        digest = hashlib.sha256(self._server.content).hexdigest()
        command = [sys.executable, CHILD, json.dumps(fault), "download", ARCHIVE, cache]
        command += [self._server.address, digest, len(self._server.content)]
        environment = {**os.environ, "NO_PROXY": "127.0.0.1", "TMPDIR": str(self._temporary)}
        run = forks.Fork(command, self._folder, environment)
        run.communicate()
        return run

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


def _archive_server():
    server = ArchiveServer()
    packed = io.BytesIO()
    draw = random.Random(1)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in ("ratings.csv", "movies.csv"):
            rows = "".join(f"{draw.random()},{draw.random()}\n" for _ in range(8000))
            opened.writestr(f"{ARCHIVE}/{name}", rows)
    server.content = packed.getvalue()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
