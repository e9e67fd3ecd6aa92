"""The validator as a TFX component.

Only a node downstream of it is held back by it: the pipeline makes Transform and
the Trainer wait for it explicitly.
"""

from __future__ import annotations

import json

from tfx import types
from tfx.components import ExampleValidator
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ExecutionParameter
from tfx.utils import json_utils

from components.validator import executor
from components.validator.config import ValidationConfig
from components.validator.keys import SETTINGS_KEY
from schema import settings


class StrictExampleValidatorSpec(standard_component_specs.ExampleValidatorSpec):
    """Extend ExampleValidatorSpec by what is done about findings."""

    PARAMETERS = {  # noqa: RUF012 - the base class declares a plain dict
        **standard_component_specs.ExampleValidatorSpec.PARAMETERS,
        SETTINGS_KEY: ExecutionParameter(type=str),
    }


class StrictExampleValidator(ExampleValidator):
    """Validate as the stock ExampleValidator does, but fail the run on what is to stop it.

    It also takes an empty split for an anomaly, gives each split its name as
    the schema's environment, and holds the other splits against `train` by the
    schema's skew comparators. What is only warned of is logged and stands in the
    custom property WARNING_PROPERTY of the artifact.

    Output `anomalies`: an ExampleAnomalies artifact as the stock component
    writes it.
    """

    SPEC_CLASS = StrictExampleValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self, statistics: types.BaseChannel, schema: types.BaseChannel, config: ValidationConfig
    ) -> None:
        """Declare the component.

        Args:
          statistics: of StatisticsGen.
          schema: of components.schema_gen.CuratedSchema.
          config: what stops the run.
        """
        spec = StrictExampleValidatorSpec(
            statistics=statistics,
            schema=schema,
            exclude_splits=json_utils.dumps([]),
            anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
            **{SETTINGS_KEY: json.dumps(settings.to_dict(config), sort_keys=True)},
        )
        # The stock constructor makes a spec without the settings.
        base_component.BaseComponent.__init__(self, spec=spec)
