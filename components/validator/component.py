"""The validator as a TFX component.

Only a node downstream of it is held back by it: the pipeline makes Transform and
the Trainer wait for it explicitly.
"""

from __future__ import annotations

from tfx import types
from tfx.components import ExampleValidator
from tfx.dsl.components.base import executor_spec

from components.validator import executor


class StrictExampleValidator(ExampleValidator):
    """Validate as the stock ExampleValidator does, but fail the run on anomalies.

    It also takes an empty split for an anomaly, gives each split its name as
    the schema's environment, and holds the other splits against `train` by the
    schema's skew comparators.

    Output `anomalies`: an ExampleAnomalies artifact as the stock component
    writes it.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, statistics: types.BaseChannel, schema: types.BaseChannel) -> None:
        """Declare the component.

        Args:
          statistics: of StatisticsGen.
          schema: of components.schema_gen.CuratedSchema.
        """
        super().__init__(statistics=statistics, schema=schema)
