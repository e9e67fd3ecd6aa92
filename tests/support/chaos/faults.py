"""Rounds of one fault each, drawn at random."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import time

from tests.support.chaos.download import Downloads
from tests.support.chaos.workplace import DONE, Result, Workplace

REFUSED = ("gate.min_hr=1.0",)


class Chaos(Workplace):
    """The rounds; see Workplace."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._downloads = Downloads(self._temporary)

    def close(self):
        self._downloads.close()
        super().close()

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
        self._restore(next(iter(self._components)))
        cache = self._work / "cache"
        cache.mkdir()
        return self._downloads.round(draw, cache)
