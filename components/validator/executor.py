"""Executor of StrictExampleValidator: the stock validation with consequences."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx import types
from tfx.components.example_validator import executor as stock
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils, json_utils, writer_utils

from components.validator.config import ValidationConfig
from components.validator.keys import SETTINGS_KEY, WARNING_PROPERTY
from components.validator.sentence import COMPARATORS, describe
from schema import features
from schema.errors import UserError
from schema.settings import from_dict


class Executor(stock.Executor):
    """Validate every split; see StrictExampleValidator."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Write each split's anomalies, and refuse or warn of them.

        Args:
          input_dict: `statistics` and `schema`, one artifact each.
          output_dict: `anomalies`, one artifact.
          exec_properties: as of the stock executor, and SETTINGS_KEY; see
            StrictExampleValidator.

        Returns:
          The anomalies artifact, as the stock executor does.

        Raises:
          UserError: there are anomalies that stop a run; one sentence names split,
            feature and reason of each.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        statistics = artifact_utils.get_single_instance(input_dict[specs.STATISTICS_KEY])
        artifact = artifact_utils.get_single_instance(output_dict[specs.ANOMALIES_KEY])
        excluded = json_utils.loads(exec_properties.get(specs.EXCLUDE_SPLITS_KEY, "null")) or []
        names = artifact_utils.decode_split_names(statistics.split_names)
        by_split = {
            name: stats_artifact_utils.load_statistics(statistics, name).proto()
            for name in names
            if name not in excluded
        }
        artifact.split_names = artifact_utils.encode_split_names(list(by_split))
        artifact.span = statistics.span
        config = from_dict(ValidationConfig, json.loads(exec_properties[SETTINGS_KEY]))
        schema = _read_schema(input_dict, config.skew_threshold)
        found = {name: validate(by_split, name, schema) for name in by_split}
        for name, anomalies in found.items():
            uri = artifact_utils.get_split_uri(output_dict[specs.ANOMALIES_KEY], name)
            writer_utils.write_anomalies(os.path.join(uri, stock.DEFAULT_FILE_NAME), anomalies)
        refusal, warning = describe(found, config)
        if refusal:
            raise UserError(refusal)
        if warning:
            logging.warning(warning)
            artifact.set_string_custom_property(WARNING_PROPERTY, warning)
        artifact.set_json_value_custom_property(
            stock.ARTIFACT_PROPERTY_BLESSED_KEY, dict.fromkeys(found, stock.BLESSED_VALUE)
        )
        output = execution_result_pb2.ExecutorOutput()
        output.output_artifacts[specs.ANOMALIES_KEY].artifacts.append(artifact.mlmd_artifact)
        return output


def validate(
    by_split: dict[str, statistics_pb2.DatasetFeatureStatisticsList],
    name: str,
    schema: schema_pb2.Schema,
) -> anomalies_pb2.Anomalies:
    """Validate one split, in the environment of its name.

    Args:
      by_split: statistics of every split.
      name: of the split.
      schema: may name environments and skew comparators.

    Returns:
      TFDV's anomalies. An empty split has `data_missing` set; a split that is
      not `train` also has the features whose skew against `train` is above
      their threshold.
    """
    environment = name if name in schema.default_environment else None
    anomalies = tfdv.validate_statistics(by_split[name], schema, environment=environment)
    train = by_split.get(features.TRAIN)
    if train is None or name == features.TRAIN or _is_empty(train) or _is_empty(by_split[name]):
        return anomalies
    skew = tfdv.validate_statistics(
        train, schema, environment=features.TRAIN, serving_statistics=by_split[name]
    )
    for feature, info in skew.anomaly_info.items():
        reasons = [reason for reason in info.reason if reason.type in COMPARATORS]
        if reasons:
            merged = anomalies.anomaly_info[feature]
            merged.path.CopyFrom(info.path)
            merged.severity = info.severity
            merged.short_description = merged.short_description or info.short_description
            merged.description = merged.description or info.description
            merged.reason.extend(reasons)
    return anomalies


def _is_empty(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> bool:
    return not any(dataset.num_examples for dataset in statistics.datasets)


def _read_schema(
    input_dict: dict[str, list[types.Artifact]], skew_threshold: float | None
) -> schema_pb2.Schema:
    """Read the schema; with a threshold in the place of its own where one is given."""
    uri = artifact_utils.get_single_uri(input_dict[specs.SCHEMA_KEY])
    schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(uri))
    for feature in schema.feature if skew_threshold is not None else ():
        for name in ("infinity_norm", "jensen_shannon_divergence"):
            if feature.skew_comparator.HasField(name):
                getattr(feature.skew_comparator, name).threshold = skew_threshold
    return schema
