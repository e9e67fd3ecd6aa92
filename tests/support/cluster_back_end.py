"""A back end on this machine: runs a compiled pipeline task by task.

What it does as Vertex AI Pipelines (and, with `drivers=False`, the open-source
Kubeflow Pipelines) would, as far as TFX's containers can tell:

- takes nothing but the compiled file and runtime parameters;
- orders tasks by their inputs and `dependentTasks`, two at a time;
- fills each task's ExecutorInput from constants, runtime parameters and the
  outputs of earlier tasks, and puts it in the place of `{{$}}`;
- runs an example generator's `preCacheCheck` driver and then, unless the task's
  result is cached, each container's own command line, as a process in a given
  environment and an empty folder;
- reads executor_output.json, and hands properties on as JSON values, in which
  integers become doubles;
- answers resolver queries from what earlier runs published, and importers.

What it does not emulate: containers (the image is never built or pulled; the
tasks share this machine's files, users and packages besides our own), resources
and accelerators, retries and timeouts, conditions, exit handlers, loops, IAM
and networks, remote storage (URIs are local paths, unless `root` names a bucket
of tests/object_store.py), the metadata service's contexts (a query sees every
artifact) and its types, and scheduling. The queries that it understands are
those that TFX writes for its two resolver strategies. Cache keys are its own:
command line, parameters, inputs.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import pathlib
import re
import subprocess
from typing import Any

import yaml

Artifact = dict[str, Any]
Outputs = dict[str, list[Artifact]]

_CLAUSE = re.compile(r'([a-z_.]+)=("[^"]*"|[A-Z0-9.]+)')
_PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.artifacts\['(\w+)'\]\.metadata\['(\w+)'\]\}\}")


@dataclasses.dataclass
class Run:
    """What came of one run.

    Attributes:
      outputs: by task and output key.
      ran: tasks whose container ran, not those from the cache.
    """

    outputs: dict[str, Outputs] = dataclasses.field(default_factory=dict)
    ran: set[str] = dataclasses.field(default_factory=set)


class BackEnd:
    """Runs specs; remembers artifacts and results from run to run.

    Args:
      folder: for what processes leave besides artifacts.
      variables: the environment of each process.
      drivers: whether `preCacheCheck` is run.
      root: URI for artifacts; the folder when None.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        variables: dict[str, str],
        drivers: bool = True,
        root: str | None = None,
    ) -> None:
        self._folder = folder
        self._root = root or str(folder)
        self._variables = variables
        self._drivers = drivers
        self._published: list[Artifact] = []
        self._cache: dict[str, Outputs] = {}
        self._runs = 0

    def run(self, path: pathlib.Path, **parameters: str | int) -> Run:
        """Runs a compiled file to its end; raises with the output of a task that failed."""
        self._runs += 1
        content = yaml.safe_load(path.read_text())
        execution = _Execution(self, content, parameters, self._folder / str(self._runs))
        execution.go()
        return execution.run


class _Execution:
    """One run of one spec."""

    def __init__(
        self, back_end: BackEnd, content: Any, parameters: dict[str, Any], folder: pathlib.Path
    ) -> None:
        self.run = Run()
        self._back_end = back_end
        self._folder = folder
        self._spec = content.get("pipelineSpec", content)
        self._tasks = self._spec["root"]["dag"]["tasks"]
        # 2.0 has Kubeflow's own kind of value, 2.1 plain JSON.
        self._legacy = self._spec["schemaVersion"] == "2.0.0"
        if self._legacy:
            defaults = content["runtimeConfig"]["parameters"]
            given = {name: _legacy_value(value) for name, value in parameters.items()}
        else:
            declared = self._spec["root"]["inputDefinitions"]["parameters"]
            defaults = {n: p["defaultValue"] for n, p in declared.items() if "defaultValue" in p}
            given = parameters
        self._parameters = {**defaults, **given}

    def go(self) -> None:
        waiting, running = dict(self._tasks), {}
        with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
            while waiting or running:
                ready = [n for n, task in waiting.items() if _needs(task) <= {*self.run.outputs}]
                for name in ready:
                    running[pool.submit(self._execute, name, waiting.pop(name))] = name
                assert running, f"tasks that wait for each other: {sorted(waiting)}"
                done, _ = concurrent.futures.wait(
                    running, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    self.run.outputs[running.pop(future)] = future.result()
        self._back_end._published += [
            artifact
            for outputs in self.run.outputs.values()
            for artifacts in outputs.values()
            for artifact in artifacts
            if artifact not in self._back_end._published
        ]

    def _execute(self, name: str, task: Any) -> Outputs:
        component = self._spec["components"][task["componentRef"]["name"]]
        executor = self._spec["deploymentSpec"]["executors"][component["executorLabel"]]
        inputs = self._inputs(task)
        if "resolver" in executor:
            queries = executor["resolver"]["outputArtifactQueries"]
            return {key: self._query(q["filter"], inputs) for key, q in queries.items()}
        keys = component["outputDefinitions"]["artifacts"]
        outputs = {
            key: {
                "name": f"projects/1/locations/here/artifacts/{self._folder.name}-{name}-{key}",
                "type": declared["artifactType"],
                "uri": f"{self._back_end._root}/{self._folder.name}/{name}/{key}",
            }
            for key, declared in keys.items()
        }
        if "importer" in executor:
            return self._imported(executor["importer"], inputs, outputs)
        return self._contained(name, task, executor["container"], inputs, outputs)

    def _inputs(self, task: Any) -> dict[str, Any]:
        """The part `inputs` of an ExecutorInput."""
        asked = task.get("inputs", {})
        artifacts = {}
        for key, source in asked.get("artifacts", {}).items():
            producer = source["taskOutputArtifact"]
            found = self.run.outputs[producer["producerTask"]][producer["outputArtifactKey"]]
            # What a resolver did not find is no input at all.
            if found:
                artifacts[key] = {"artifacts": found}
        values = {}
        for key, source in asked.get("parameters", {}).items():
            if "componentInputParameter" in source:
                values[key] = self._parameters[source["componentInputParameter"]]
            else:
                values[key] = source["runtimeValue"][
                    "constantValue" if self._legacy else "constant"
                ]
        return {"artifacts": artifacts, "parameters" if self._legacy else "parameterValues": values}

    def _query(self, text: str, inputs: dict[str, Any]) -> list[Artifact]:
        """The newest artifact that fits, as a list of one or none."""

        def metadata(match: re.Match[str]) -> str:
            found = inputs["artifacts"].get(match[1])
            return str(found["artifacts"][0]["metadata"][match[2]]) if found else "nothing"

        clauses = _CLAUSE.findall(_PLACEHOLDER.sub(metadata, text))
        assert len(clauses) == text.count("=") - text.count("=="), text
        fitting = [a for a in self._back_end._published if all(_fits(a, *c) for c in clauses)]
        return fitting[-1:]

    def _imported(self, importer: Any, inputs: Any, outputs: Any) -> Outputs:
        uri = importer["artifactUri"]
        values = inputs["parameters" if self._legacy else "parameterValues"]
        value = values[uri["runtimeParameter"]]
        (key,) = outputs
        uri = value["stringValue"] if self._legacy else value
        return {key: [{**outputs[key], "uri": uri, "metadata": {}}]}

    def _contained(
        self, name: str, task: Any, container: Any, inputs: Any, outputs: Any
    ) -> Outputs:
        """Runs driver and executor, or finds the result in the cache."""
        place = self._folder / name
        place.mkdir(parents=True)
        output_file = place / "executor_output.json"
        hook = container.get("lifecycle", {}).get("preCacheCheck")
        if hook and self._back_end._drivers:
            self._process(name, hook, inputs, outputs, output_file)
            written = json.loads(output_file.read_text())
            for key, listed in written["artifacts"].items():
                outputs[key]["metadata"] = listed["artifacts"][0]["metadata"]
            inputs.setdefault("parameterValues", {}).update(written["parameterValues"])
        command = [*container["command"], *container["args"]]
        known = json.dumps([command, inputs], sort_keys=True)
        cached = task.get("cachingOptions", {}).get("enableCache", False)
        if cached and known in self._back_end._cache:
            return self._back_end._cache[known]
        self.run.ran.add(name)
        self._process(name, container, inputs, outputs, output_file)
        written = json.loads(output_file.read_text())["artifacts"]
        result = {
            # The type is the back end's to know; the executor does not repeat it.
            key: [{**outputs[key], **artifact} for artifact in written[key]["artifacts"]]
            for key in outputs
        }
        self._back_end._cache[known] = result
        return result

    def _process(self, name: str, part: Any, inputs: Any, outputs: Any, output_file: Any) -> None:
        listed = {key: {"artifacts": [artifact]} for key, artifact in outputs.items()}
        given = {"inputs": inputs, "outputs": {"artifacts": listed, "outputFile": str(output_file)}}
        command = [a.replace("{{$}}", json.dumps(given)) for a in (*part["command"], *part["args"])]
        empty = output_file.parent / "cwd"
        empty.mkdir(exist_ok=True)
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=empty,
            env=self._back_end._variables,
        )
        assert result.returncode == 0, f"{name}: {result.stderr[-4000:]}"


def _needs(task: Any) -> set[str]:
    producers = {
        source["taskOutputArtifact"]["producerTask"]
        for source in task.get("inputs", {}).get("artifacts", {}).values()
    }
    return producers | set(task.get("dependentTasks", ()))


def _fits(artifact: Artifact, key: str, quoted: str) -> bool:
    value = quoted.strip('"')
    if key == "schema_title":
        return bool(yaml.safe_load(artifact["type"]["instanceSchema"])["title"] == value)
    if key == "state":
        return value == "LIVE"
    if key == "name":
        return bool(artifact["name"] == value)
    _, name, kind = key.split(".")
    assert kind == "number_value", key
    return bool(artifact.get("metadata", {}).get(name) == float(value))


def _legacy_value(value: str | int) -> dict[str, Any]:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
