"""RecommenderTrainer's executor in several processes, started as a custom job starts them."""

import json
import os
import pathlib
import signal
import sys
import time

from tfx.types import artifact_utils, standard_artifacts

from components.trainer.component import RUN_FN
from schema import features, settings
from tests.support import forks, ports
from trainer.config import keys

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXECUTOR = "components.trainer.executor.Executor"
STATES = "states"


class Job:
    """The processes of one training; a context manager that leaves none behind.

    Args:
      folder: gets outputs, states and logs.
      inputs: the Trainer's input artifacts by key.
      config: a TrainerConfig.
      evaluation: an EvaluationConfig.
      kinds: of the processes, such as ("worker", "worker"); none for a single
        one without TF_CONFIG.
    """

    def __init__(self, folder, inputs, config, evaluation, kinds=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._command = self._make_command(inputs, config, evaluation)
        self._jobs = {}
        self._tasks = []
        for kind, port in zip(kinds, ports.free(len(kinds)), strict=True):
            addresses = self._jobs.setdefault(kind, [])
            self._tasks.append((kind, len(addresses)))
            addresses.append(f"127.0.0.1:{port}")
        self._tasks = self._tasks or [None]
        self.processes = [None] * len(self._tasks)
        self._started = 0

    def _make_command(self, inputs, config, evaluation):
        model, run = standard_artifacts.Model(), standard_artifacts.ModelRun()
        model.uri, run.uri = str(self.folder / "model"), str(self.folder / "model_run")
        custom = {
            keys.TRAINER_KEY: settings.to_dict(config),
            keys.EVALUATION_KEY: settings.to_dict(evaluation),
            keys.USER_OOV_KEY: 1,
            keys.ITEM_OOV_KEY: 1,
            keys.STATES_KEY: str(self.folder / STATES),
        }
        properties = {
            "run_fn": RUN_FN,
            "train_args": json.dumps({"splits": [features.TRAIN]}),
            "eval_args": json.dumps({"splits": [features.VALID]}),
            "custom_config": json.dumps(custom),
        }
        given = artifact_utils.jsonify_artifact_dict({k: [v] for k, v in inputs.items()})
        wanted = artifact_utils.jsonify_artifact_dict({"model": [model], "model_run": [run]})
        return [
            sys.executable,
            "-m",
            "tfx.scripts.run_executor",
            f"--executor_class_path={EXECUTOR}",
            f"--inputs={given}",
            f"--outputs={wanted}",
            f"--exec-properties={json.dumps(properties)}",
        ]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.processes:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    def start(self, *numbers):
        """Starts processes by number, all of them by default."""
        for number in numbers or range(len(self._tasks)):
            environment = {
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "TF_USE_LEGACY_KERAS": "1",
                "CUDA_VISIBLE_DEVICES": "",
            }
            environment.pop("TF_CONFIG", None)
            if self._tasks[number] is not None:
                kind, index = self._tasks[number]
                task = {"type": kind, "index": index}
                environment["TF_CONFIG"] = json.dumps({"cluster": self._jobs, "task": task})
            self._started += 1
            log = self.folder / f"process{number}.{self._started}.log"
            self.processes[number] = forks.Fork(self._command, self.folder, environment, log)
        return self

    def kill(self, *numbers):
        """Kills processes as the kernel does that is out of memory."""
        for number in numbers:
            self.processes[number].send_signal(signal.SIGKILL)
            self.processes[number].wait()

    def codes(self, seconds=240):
        """Exit codes of all processes, once all have ended."""
        deadline = time.monotonic() + seconds
        for process in self.processes:
            process.wait(max(deadline - time.monotonic(), 1))
        return [process.returncode for process in self.processes]

    def wait_for(self, condition, seconds=240):
        """Waits until a condition holds, while all processes live."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log()
            assert all(process.poll() is None for process in self.processes), self.log()
            time.sleep(0.02)

    def log(self):
        """The ends of all logs."""
        return "\n".join(
            f"== {path.name}\n{path.read_text()[-3000:]}" for path in self.folder.glob("*.log")
        )

    @property
    def model(self):
        """Folder of the exported model."""
        return self.folder / "model/Format-Serving"

    @property
    def report(self):
        """What the training reported."""
        return json.loads((self.folder / "model_run/training.json").read_text())

    def state(self):
        """The latest state that a killed training would go on from, or None."""
        for path in (self.folder / STATES).glob("*/*/state.json"):
            return json.loads(path.read_text())
        return None
