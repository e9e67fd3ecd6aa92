"""Compile the pipeline for Vertex AI and for Kubeflow Pipelines.

TFX's own compiler leaves out what this module adds to its spec: default values
of runtime parameters, resources of the example generators (tfx#6146), images by
component.
"""

from __future__ import annotations

import json
import os
from typing import Any

import yaml
from tfx.dsl.io import fileio
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as stock
from tfx.orchestration.pipeline import Pipeline

from pipeline import backend
from pipeline.config.cluster import ClusterConfig, Resources
from pipeline.node_ids import CATALOG, INTERACTIONS, TUNER
from schema import atomic_write
from schema.errors import UserError
from schema.settings import check_choice

_EXECUTOR = "_executor"
_YAML = (".yaml", ".yml")


class ClusterRunner(stock.KubeflowV2DagRunner):
    """Write a pipeline as the spec that a cluster takes.

    TFX's command line finds this class by its parent, whose `run` it replaces.

    Args:
      target: backend.VERTEX or backend.KFP, for which the pipeline was made.
      cluster: images and resources.
      output: path or URI of the file; `.json` makes a PipelineJob of schema 2.0,
        `.yaml` a PipelineSpec of schema 2.1.

    Raises:
      UserError: another suffix.
    """

    def __init__(self, target: str, cluster: ClusterConfig, output: str) -> None:
        suffix = os.path.splitext(output)[1]
        if suffix not in (".json", *_YAML):
            raise UserError(f"--output: expected a name in .json or .yaml, got {output!r}.")
        config = stock.KubeflowV2DagRunnerConfig(
            default_image=cluster.image, use_pipeline_spec_2_1=suffix in _YAML
        )
        super().__init__(config, os.path.dirname(output) or ".", os.path.basename(output))
        self._target = target
        self._cluster = cluster

    def run(
        self,
        pipeline: Pipeline,
        parameter_values: dict[str, Any] | None = None,
        write_out: bool | None = True,
    ) -> dict[str, Any]:
        """Compile the pipeline.

        Args:
          pipeline: of pipeline.pipeline.create_pipeline.
          parameter_values: runtime parameters to set besides their defaults.
          write_out: whether to write the file.

        Returns:
          The PipelineJob as JSON has it.

        Raises:
          UserError: resources of a component that the pipeline lacks.
        """
        values = {**_defaults(pipeline), **(parameter_values or {})}
        job = super().run(pipeline, values, write_out=False)
        spec = job["pipelineSpec"]
        spec["defaultPipelineRoot"] = pipeline.pipeline_info.pipeline_root
        _set_resources(spec, self._cluster)
        if self._config.use_pipeline_spec_2_1:
            parameters = spec["root"]["inputDefinitions"]["parameters"]
            for name, value in values.items():
                parameters[name] |= {"defaultValue": value, "isOptional": True}
        if self._target == backend.KFP:
            # It knows no drivers, so its cache would not see that files have changed.
            for name in (INTERACTIONS, CATALOG):
                spec["root"]["dag"]["tasks"][name].pop("cachingOptions", None)
        if write_out:
            self._write(job)
        return job

    def _write(self, job: dict[str, Any]) -> None:
        """Write the file whole or not at all."""
        if self._config.use_pipeline_spec_2_1:
            text = yaml.safe_dump(job["pipelineSpec"], sort_keys=True)
        else:
            text = json.dumps(job, sort_keys=True, indent=1)
        fileio.makedirs(self._output_dir)
        atomic_write.write(os.path.join(self._output_dir, self._output_filename), text)


def _defaults(pipeline: Pipeline) -> dict[str, Any]:
    """Collect default values of the runtime parameters by name."""
    return {
        value.name: value.default
        for node in pipeline.components
        for value in node.exec_properties.values()
        if isinstance(value, RuntimeParameter)
    }


def _set_resources(spec: dict[str, Any], cluster: ClusterConfig) -> None:
    executors = spec["deploymentSpec"]["executors"]
    containers = {
        label.removesuffix(_EXECUTOR): executor["container"]
        for label, executor in executors.items()
        if "container" in executor
    }
    for component, asked in cluster.resources.items():
        check_choice("resources", component, (*sorted({*containers, TUNER}),))
        if component in containers:
            _ask(containers[component], asked)


def _ask(container: dict[str, Any], asked: Resources) -> None:
    """Put what is asked for into a PipelineContainerSpec."""
    resources: dict[str, Any] = {}
    if asked.cpu is not None:
        resources["cpuLimit"] = asked.cpu
    if asked.memory_gb is not None:
        resources["memoryLimit"] = asked.memory_gb
    if asked.accelerator is not None:
        # JSON has 64-bit integers as text.
        resources["accelerator"] = {"type": asked.accelerator, "count": str(asked.accelerators)}
    if resources:
        container["resources"] = resources
    if asked.image is not None:
        container["image"] = asked.image
