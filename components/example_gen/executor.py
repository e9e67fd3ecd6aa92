"""Executors of the example generators: their Beam graphs, files and counts."""

from __future__ import annotations

import abc
import json
from typing import Any

import apache_beam as beam
from google.protobuf import json_format, struct_pb2
from tfx import types
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import proto_utils

from components import formats
from components.columns import TableConfig
from components.example_gen import counts, dofns, graph
from components.example_gen.config import LEAVE_ONE_OUT, TEMPORAL, IngestConfig
from components.example_gen.io import reading, writing
from components.example_gen.missing_columns import check_ingest
from components.formats import base
from schema import features
from schema.errors import UserError
from schema.settings import from_dict

# Keys of the custom config.
FORMAT_KEY = "format"
INGEST_KEY = "ingest"
TABLE_KEY = "table"

INTERACTION_ROLES = (base.INTERACTIONS, base.HELD_OUT, base.CANDIDATES, base.USERS)
CATALOG_ROLES = (base.ITEMS, base.INTERACTIONS, base.HELD_OUT, base.CANDIDATES)


class _Executor(BaseExampleGenExecutor, abc.ABC):
    """Write the splits of a graph and describe them in the artifact.

    Attributes:
      range_bytes: how much of a file one Beam element reads.
      partition_bytes: raw interactions for each partition of users; it decides
        how many files a split has, and nothing about its rows.
      split_names: of the artifact.
      count_names: of the artifact's int custom properties.
    """

    range_bytes = 16 << 20
    partition_bytes = 64 << 20
    split_names: tuple[str, ...]
    count_names: tuple[str, ...]
    # What the graph reads; nothing before it is built.
    _read: tuple[reading.FileRange, ...] = ()

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:
        """Refuse: `GenerateExamplesByBeam` reads several kinds of files at once."""
        raise NotImplementedError("GenerateExamplesByBeam builds the whole graph")

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Run the graph, write the splits and set the artifact's properties.

        The input config names roles of files, not splits, so the artifact's
        split names are set here rather than derived from it.

        Args:
          input_dict: empty.
          output_dict: `examples`, one Examples artifact.
          exec_properties: see any file-based ExampleGen.

        Raises:
          UserError: bad files, files that changed meanwhile, or nothing left of
            them (wrapped by Beam where a worker noticed).
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        outputs = output_dict[specs.EXAMPLES_KEY]
        artifact = artifact_utils.get_single_instance(outputs)
        artifact.split_names = artifact_utils.encode_split_names(list(self.split_names))
        pipeline = self._make_beam_pipeline()
        try:
            with pipeline:
                splits = self.GenerateExamplesByBeam(pipeline, exec_properties)
                for name, split in splits.items():
                    uri = artifact_utils.get_split_uri(outputs, name)
                    _ = split | f"Write[{name}]" >> beam.Map(writing.write_shard, uri)
        except Exception:
            # A half-written file is the reason for a line that cannot be read, too.
            reading.check_unchanged(self._read)
            raise
        reading.check_unchanged(self._read)
        found = counts.read(pipeline.result, self.count_names)
        self._check(found, exec_properties)
        counts.publish(artifact, found)
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(artifact, writing.FILE_FORMAT)

    @abc.abstractmethod
    def _check(self, found: dict[str, int], exec_properties: dict[str, Any]) -> None:
        """Raise UserError where the counts say that nothing is left."""

    def _ranges(
        self, exec_properties: dict[str, Any], roles: tuple[str, ...]
    ) -> list[reading.FileRange]:
        data_root = exec_properties[specs.INPUT_BASE_KEY]
        ranges = reading.plan(_layout(exec_properties), data_root, roles, self.range_bytes)
        self._read = tuple(ranges)
        return ranges


class InteractionsExecutor(_Executor):
    """Turn raw interactions into one example a user, in the splits train, valid and test."""

    split_names = features.INTERACTION_SPLITS
    count_names = counts.INTERACTION_COUNTS

    def GenerateExamplesByBeam(
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.pvalue.PCollection]:
        """Build the graph.

        Args:
          pipeline: gets the graph.
          exec_properties: see any file-based ExampleGen.

        Returns:
          Split name -> PCollection of writing.Shard, one a partition of users.

        Raises:
          UserError: missing or empty files.
        """
        config = _ingest_config(exec_properties)
        layout = _layout(exec_properties)
        data_root = exec_properties[specs.INPUT_BASE_KEY]
        check_ingest(data_root, layout.columns_read(data_root), config)
        ranges = self._ranges(exec_properties, INTERACTION_ROLES)
        held_out = any(source.role == base.HELD_OUT for source in ranges)
        if held_out and config.split != LEAVE_ONE_OUT:
            raise UserError(
                f"{data_root}: the data has its own held-out file; "
                f"expected split=leave_one_out, got {config.split}."
            )
        size = sum(r.text_bytes for r in ranges if r.role == base.INTERACTIONS)
        partitions = -(-size // self.partition_bytes)
        ordered = graph.sorted_partitions(pipeline, ranges, layout, partitions, config)
        inputs = {}
        if config.split == TEMPORAL:
            inputs["cutoffs"] = beam.pvalue.AsSingleton(
                ordered
                | "Times" >> beam.FlatMap(dofns.times_of)
                | "AllTimes" >> beam.GroupByKey()
                | "TimeCutoffs" >> beam.Map(dofns.cutoffs_of, config),
                default_value=None,
            )
        split = ordered | "Split" >> beam.ParDo(
            dofns.SplitPartition(partitions, held_out, config), **inputs
        ).with_outputs(*self.split_names, dofns.ITEMS_TAG)
        _ = (
            split[dofns.ITEMS_TAG]
            | "AllItems" >> beam.GroupByKey()
            | "CountItems" >> beam.Map(dofns.count_items)
        )
        return {name: split[name] for name in self.split_names}

    def _check(self, found: dict[str, int], exec_properties: dict[str, Any]) -> None:
        if found[counts.INTERACTIONS]:
            return
        config = _ingest_config(exec_properties)
        where = exec_properties[specs.INPUT_BASE_KEY]
        if found[counts.DROPPED_BY_CORE]:
            raise UserError(
                f"{where}: nothing is left after min_user_interactions="
                f"{config.min_user_interactions} and min_item_interactions="
                f"{config.min_item_interactions}, which dropped all "
                f"{found[counts.DROPPED_BY_CORE]} interactions; lower them."
            )
        if found[counts.DROPPED_BY_RATING]:
            raise UserError(
                f"{where}: nothing is left after min_rating={config.min_rating}, which dropped "
                f"all {found[counts.DROPPED_BY_RATING]} interactions; lower it."
            )
        raise UserError(f"{where}: the interactions file has no rows, expected at least one.")


class CatalogExecutor(_Executor):
    """Turn raw items, and those that only interactions know, into one example an item."""

    split_names = (features.CATALOG,)
    count_names = counts.CATALOG_COUNTS

    def GenerateExamplesByBeam(
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.pvalue.PCollection]:
        """Build the graph.

        Args:
          pipeline: gets the graph.
          exec_properties: see any file-based ExampleGen.

        Returns:
          The split's name -> PCollection of its one writing.Shard.

        Raises:
          UserError: missing or empty files.
        """
        read = dofns.ReadItems(_layout(exec_properties))
        ranges = self._ranges(exec_properties, CATALOG_ROLES)
        shard = (
            pipeline
            | "Ranges" >> beam.Create(ranges)
            | "Read" >> beam.ParDo(read)
            | "OneCatalog" >> beam.GroupByKey()
            | "Build" >> beam.Map(dofns.catalog_shard)
        )
        return {features.CATALOG: shard}

    def _check(self, found: dict[str, int], exec_properties: dict[str, Any]) -> None:
        if not found[counts.ITEMS]:
            where = exec_properties[specs.INPUT_BASE_KEY]
            raise UserError(f"{where}: no items in any file, expected at least one.")


def _custom_config(exec_properties: dict[str, Any]) -> dict[str, Any]:
    """Read the generator's own settings out of the custom config's Struct."""
    message = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(exec_properties[specs.CUSTOM_CONFIG_KEY], message)
    values = struct_pb2.Struct()
    message.custom_config.Unpack(values)
    custom_config: dict[str, Any] = json_format.MessageToDict(values)
    return custom_config


def _layout(exec_properties: dict[str, Any]) -> formats.Format:
    values = _custom_config(exec_properties)
    table = from_dict(TableConfig, json.loads(values.get(TABLE_KEY, "{}")))
    return formats.get(values[FORMAT_KEY], table)


def _ingest_config(exec_properties: dict[str, Any]) -> IngestConfig:
    return from_dict(IngestConfig, json.loads(_custom_config(exec_properties)[INGEST_KEY]))
