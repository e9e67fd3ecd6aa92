"""RecommenderTrainer as a custom job of Vertex AI, on machines of its own.

TFX's launcher starts the job and waits for it; inside, RecommenderTrainer's own
executor runs, so the catalog's channel and what a run changes reach run_fn as
ever. This module loads Google's client: import it only where a job is asked for.
"""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import executor_spec
from tfx.extensions.google_cloud_ai_platform.constants import ENABLE_VERTEX_KEY, VERTEX_REGION_KEY
from tfx.extensions.google_cloud_ai_platform.trainer import executor as launcher

from components.trainer import executor
from components.trainer.component import RecommenderTrainer


class Executor(launcher.GenericExecutor):
    """Run TFX's launcher, with our executor in the job."""

    def _GetExecutorClass(self) -> type[executor.Executor]:
        return executor.Executor


class VertexRecommenderTrainer(RecommenderTrainer):
    """Train as RecommenderTrainer does, in a job that the task starts and waits for."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


def job_config(job: dict[str, Any], region: str) -> dict[str, Any]:
    """Build what custom_config must hold for the launcher.

    Args:
      job: a CustomJob as JSON has it, and `project`.
      region: of the job.

    Returns:
      Entries of custom_config.
    """
    return {launcher.TRAINING_ARGS_KEY: job, ENABLE_VERTEX_KEY: True, VERTEX_REGION_KEY: region}
