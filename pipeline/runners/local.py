"""Run LocalDagRunner on the chosen Beam runner and tell which component is at work.

`run_with_ir` is overridden and not `run`, because TFX's command line replaces
LocalDagRunner.run when it only registers a pipeline.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import apache_beam as beam
from absl import logging as absl_logging
from tfx.dsl.compiler import constants
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import launcher
from tfx.proto.orchestration import executable_spec_pb2, pipeline_pb2

from pipeline.config.beam import is_direct
from pipeline.runners import beam_cache, beam_ports, operators
from schema.keys import CONFIGURATION_KEY

# What TFX logs, as the formats of its log records.
_STARTED = "Component %s is running."
_CACHED = "A cached execution %d is used."
_FINISHED = "Component %s is finished."

# What Beam's thread beside a worker process raises, of SIGKILL with a shell between or without.
_KILLED = re.compile(r"Worker subprocess exited with return code (-9|137)$")

_KILLED_SENTENCE = (
    "a worker process of Beam was killed, as happens when memory runs out; "
    "start the same command again to go on"
)

# A component that is not done after so many seconds is announced.
_PATIENCE = 2.0


class Listener(Protocol):
    """Declare what is told about components."""

    def running(self, component: str) -> None:
        """Note that a component is at work and will take longer."""

    def finished(self, component: str, seconds: float, cached: bool) -> None:
        """Note that a component is done, or that its earlier result was reused."""

    def failed(self, component: str, seconds: float) -> None:
        """Note that a component raised."""


class ReportingRunner(LocalDagRunner):
    """Run a pipeline and report on it.

    Args:
      listener: is told about components.
      configuration: JSON of the run's configuration; recorded with the run.
      beam_arguments: of pipeline.config.beam.arguments. They are not among the
        pipeline's own, which are part of every component's cache key: what a
        Beam runner made, another reuses.

    Attributes:
      run_id: of the pipeline run in ML Metadata; None when `run` did not get to
        run anything, as under `tfx pipeline create`.
    """

    def __init__(
        self, listener: Listener, configuration: str, beam_arguments: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.run_id: str | None = None
        self._listener = listener
        self._configuration = configuration
        self._beam_arguments = tuple(beam_arguments)

    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
    ) -> None:
        """Run a compiled pipeline.

        Args:
          pipeline: the compiled pipeline; gets its run id.
          run_options: as for LocalDagRunner.
        """
        self._record_configuration(pipeline)
        absl_logging.set_verbosity(absl_logging.INFO)
        watch = _Watch(self._listener)
        logger = absl_logging.get_absl_logger()
        logger.addHandler(watch)
        try:
            with (
                operators.outputs_kept(),
                beam_cache.quickly_weighed(),
                _beam_with(self._beam_arguments),
            ):
                super().run_with_ir(pipeline, run_options)
        except BaseException:
            watch.abandon()
            raise
        finally:
            logger.removeHandler(watch)
            self.run_id = pipeline.runtime_spec.pipeline_run_id.field_value.string_value

    def _record_configuration(self, pipeline: pipeline_pb2.Pipeline) -> None:
        # The first component to run makes the run's context, with what is said here.
        for node in pipeline.nodes:
            for context in node.pipeline_node.contexts.contexts:
                if context.type.name == constants.PIPELINE_RUN_CONTEXT_TYPE_NAME:
                    value = context.properties[CONFIGURATION_KEY].field_value
                    value.string_value = self._configuration


@contextlib.contextmanager
def _beam_with(arguments: tuple[str, ...]) -> Iterator[None]:
    """Have the Beam components make their pipelines with these arguments."""
    if not arguments:
        yield
        return
    # LocalDagRunner has no way to hand over Launcher's `custom_executor_operators`.
    known, kind = launcher.DEFAULT_EXECUTOR_OPERATORS, executable_spec_pb2.BeamExecutableSpec
    stock = known[kind]

    class Operator(stock):  # type: ignore[misc, valid-type]
        def run_executor(
            self, execution_info: Any, make_beam_pipeline_fn: Callable[[], Any] | None = None
        ) -> Any:
            del make_beam_pipeline_fn
            return super().run_executor(execution_info, lambda: beam.Pipeline(argv=list(arguments)))

    known[kind] = Operator
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_killed_workers_noticed())
            if is_direct(arguments):
                stack.enter_context(beam_ports.on_loopback())
            yield
    finally:
        known[kind] = stock


@contextlib.contextmanager
def _killed_workers_noticed() -> Iterator[None]:
    """End the process when a worker process of Beam is killed; Beam would wait for it for ever."""
    before = threading.excepthook

    def hook(failure: threading.ExceptHookArgs) -> None:
        # Beam's threads end like this; the console is no place for it.
        logging.error("Exception in a thread.", exc_info=failure.exc_value)
        if _KILLED.search(str(failure.exc_value)):
            print(f"error: {_KILLED_SENTENCE}", file=sys.stderr, flush=True)
            # An exception in the main thread would wait for the other workers,
            # which wait in turn. A run that ends like this is started again.
            os._exit(1)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


class _Watch(logging.Handler):
    """Follow the components through TFX's log records."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener
        self._component: str | None = None
        self._cached = False
        self._since = 0.0
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == _STARTED and isinstance(record.args, tuple):
            self._component = str(record.args[0])
            self._cached = False
            self._since = time.monotonic()
            self._timer = threading.Timer(_PATIENCE, self._listener.running, [self._component])
            self._timer.daemon = True
            self._timer.start()
        elif record.msg == _CACHED:
            self._cached = True
        elif record.msg == _FINISHED and self._component is not None:
            self._stop_timer()
            self._listener.finished(self._component, self._seconds(), self._cached)
            self._component = None

    def abandon(self) -> None:
        """Report the component at work as failed."""
        self._stop_timer()
        if self._component is not None:
            self._listener.failed(self._component, self._seconds())

    def _seconds(self) -> float:
        return time.monotonic() - self._since

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
