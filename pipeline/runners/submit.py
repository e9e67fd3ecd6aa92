"""Hand a compiled pipeline to Vertex AI or to a Kubeflow Pipelines server.

A request is first built as plain values, which `--dry-run` prints, and then
sent. The clients' packages are imported only when something is sent or asked.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from types import ModuleType
from typing import Any

import yaml
from tfx.dsl.io import fileio

from pipeline.backend import KFP, VERTEX
from pipeline.config.cluster import PLACEHOLDER, ClusterConfig
from pipeline.runners.answers import reached
from pipeline.uris import is_uri
from schema import yaml_text
from schema.errors import UserError
from schema.settings import check, check_choice


@dataclasses.dataclass(frozen=True)
class Submission:
    """Hold what one submission asks for.

    Attributes:
      spec: path of the compiled pipeline; for VERTEX a URI too.
      parameters: runtime parameters as texts "NAME=VALUE".
      schedule: a cron expression; None runs once, now.
      caching: False runs every task; True leaves it to the spec.
    """

    spec: str
    parameters: tuple[str, ...] = ()
    schedule: str | None = None
    caching: bool = True


def request(target: str, cluster: ClusterConfig, asked: Submission) -> dict[str, Any]:
    """Build the arguments of the client's call.

    Args:
      target: VERTEX or KFP.
      cluster: where.
      asked: what.

    Returns:
      JSON-ready keyword arguments by name of the client's call.

    Raises:
      UserError: the file is not where the client reads, holds no spec, one that
        the target cannot run or that still has placeholders, an unknown
        parameter or a bad value.
    """
    check(
        target == VERTEX or not is_uri(asked.spec),
        f"{asked.spec}: kfp's client reads files of this machine only; copy the file here.",
    )
    spec = read_spec(asked.spec)
    values = _values(spec, asked.parameters)
    name = spec["pipelineInfo"]["name"]
    if target == VERTEX:
        calls = _vertex_calls(name, cluster, asked, values)
    else:
        _check_kfp(spec, asked.spec)
        calls = _kfp_calls(name, cluster, asked, values)
    for where, content in ((asked.spec, spec), ("--cluster", calls)):
        text = json.dumps(content)
        check(
            PLACEHOLDER not in text,
            f"{where}: expected names of your own in the place of "
            f"{PLACEHOLDER}{text.partition(PLACEHOLDER)[2][:12].split('/')[0]}; write them into "
            f"the file that --cluster names and compile again.",
        )
    return calls


def send(target: str, calls: dict[str, Any], credentials: dict[str, str | None]) -> str:
    """Submit.

    Args:
      target: VERTEX or KFP.
      calls: of `request`.
      credentials: keyword arguments of kfp.Client; not looked at for VERTEX,
        whose client finds Google's application default credentials.

    Returns:
      Name of the run or the schedule, as `status` takes the former.

    Raises:
      UserError: no server answers, or none that lets us in.
    """
    with reached(target, calls.get("Client", {}).get("host")):
        return _sent(target, calls, credentials)


def _sent(target: str, calls: dict[str, Any], credentials: dict[str, str | None]) -> str:
    if target == VERTEX:
        job = _needed("google.cloud.aiplatform").PipelineJob(**calls["PipelineJob"])
        if "create_schedule" in calls:
            return str(job.create_schedule(**calls["create_schedule"]).resource_name)
        job.submit(**calls["submit"])
        return str(job.resource_name)
    client = _needed("kfp").Client(**calls["Client"], **credentials)
    if "create_recurring_run" in calls:
        experiment = client.create_experiment(**calls["create_experiment"]).experiment_id
        job = client.create_recurring_run(experiment_id=experiment, **calls["create_recurring_run"])
        return str(job.recurring_run_id)
    run = client.create_run_from_pipeline_package(**calls["create_run_from_pipeline_package"])
    return str(run.run_id)


def status(
    target: str, cluster: ClusterConfig, run: str, credentials: dict[str, str | None]
) -> str:
    """Ask for the state of a run.

    Args:
      target: VERTEX or KFP.
      cluster: where.
      run: as `send` named it.
      credentials: see `send`.

    Returns:
      The state in the back end's own word, such as PIPELINE_STATE_RUNNING.

    Raises:
      UserError: see `send`.
    """
    with reached(target, cluster.kfp.host):
        if target == VERTEX:
            job = _needed("google.cloud.aiplatform").PipelineJob.get(
                run, project=cluster.vertex.project, location=cluster.vertex.region
            )
            return str(job.state.name)
        client = _needed("kfp").Client(**_client(cluster), **credentials)
        return str(client.get_run(run).state)


def read_spec(path: str) -> dict[str, Any]:
    """Read the PipelineSpec out of a compiled file.

    Args:
      path: JSON of a PipelineJob or YAML of a PipelineSpec.

    Returns:
      The PipelineSpec as JSON has it.

    Raises:
      UserError: no such file, or something else in it.
    """
    check(fileio.exists(path), f"{path}: cannot read the compiled pipeline (no such file).")
    try:
        with fileio.open(path, "r") as file:
            content = yaml_text.load(file.read())
    except (UnicodeDecodeError, yaml.YAMLError):
        content = None
    spec = content.get("pipelineSpec", content) if isinstance(content, dict) else None
    if not isinstance(spec, dict) or "deploymentSpec" not in spec:
        raise UserError(f"{path}: expected a file that `kubeflow_runner.py compile` wrote.")
    return spec


def _values(spec: dict[str, Any], assignments: tuple[str, ...]) -> dict[str, Any]:
    known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        check(separator != "", f"--parameter: expected NAME=VALUE, got {assignment!r}.")
        check_choice("--parameter", name, tuple(sorted(known)))
        kind = known[name].get("parameterType", known[name].get("type"))
        if kind in ("NUMBER_INTEGER", "INT"):
            try:
                values[name] = int(text)
            except ValueError:
                raise UserError(
                    f"--parameter: expected an integer for {name}, got {text!r}."
                ) from None
        else:
            values[name] = text
    return values


def _vertex_calls(
    name: str, cluster: ClusterConfig, asked: Submission, values: dict[str, Any]
) -> dict[str, Any]:
    vertex = cluster.vertex
    job = {
        "display_name": name,
        "template_path": asked.spec,
        "parameter_values": values,
        "enable_caching": None if asked.caching else False,
        "encryption_spec_key_name": vertex.encryption_key,
        "labels": vertex.labels,
        "project": vertex.project,
        "location": vertex.region,
    }
    who = {"service_account": vertex.service_account, "network": vertex.network}
    if asked.schedule is None:
        return {"PipelineJob": job, "submit": who}
    return {
        "PipelineJob": job,
        "create_schedule": {"cron": asked.schedule, "display_name": name, **who},
    }


def _kfp_calls(
    name: str, cluster: ClusterConfig, asked: Submission, values: dict[str, Any]
) -> dict[str, Any]:
    kfp = cluster.kfp
    caching = None if asked.caching else False
    if asked.schedule is None:
        run = {
            "pipeline_file": asked.spec,
            "arguments": values,
            "experiment_name": kfp.experiment,
            "namespace": kfp.namespace,
            "enable_caching": caching,
        }
        return {"Client": _client(cluster), "create_run_from_pipeline_package": run}
    recurring = {
        "job_name": name,
        "pipeline_package_path": asked.spec,
        "params": values,
        "cron_expression": asked.schedule,
        "enable_caching": caching,
    }
    experiment = {"name": kfp.experiment, "namespace": kfp.namespace}
    return {
        "Client": _client(cluster),
        "create_experiment": experiment,
        "create_recurring_run": recurring,
    }


def _client(cluster: ClusterConfig) -> dict[str, Any]:
    return {"host": cluster.kfp.host, "namespace": cluster.kfp.namespace}


def _check_kfp(spec: dict[str, Any], path: str) -> None:
    executors = spec["deploymentSpec"]["executors"].values()
    check(
        not any("resolver" in executor for executor in executors),
        f"{path}: expected a pipeline compiled with --target {KFP}, got one with resolvers, "
        f"which only Vertex AI can run.",
    )
    check(
        str(spec.get("schemaVersion")) == "2.1.0" and path.endswith((".yaml", ".yml")),
        f"{path}: expected YAML of schema 2.1 for --target {KFP}, got schema "
        f"{spec.get('schemaVersion')}; compile with --output FILE.yaml.",
    )


def _needed(module: str) -> ModuleType:
    """Import a client; TFX's extra `kfp` brings both."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UserError(missing(module)) from None


def missing(module: str) -> str:
    """Explain why a client's package is not there.

    Args:
      module: its name.

    Returns:
      A sentence.
    """
    version = ".".join(map(str, sys.version_info[:2]))
    return (
        f"{module} is not installed; the lock file has it for Python 3.10 and 3.11, where TFX "
        f"allows for it, and this is Python {version}."
    )
