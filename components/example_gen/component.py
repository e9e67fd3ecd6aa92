"""The example generators as TFX components.

Both are file-based ExampleGens, so TFX's driver fingerprints exactly the files
that each reads: count, bytes and modification times (in seconds) of each role's
files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from google.protobuf import struct_pb2
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from components import formats
from components.columns import TableConfig
from components.example_gen import executor
from components.example_gen.config import IngestConfig
from schema.keys import DIGEST_KEY
from schema.settings import to_dict


class InteractionsExampleGen(FileBasedExampleGen):
    """Read raw interactions and output one example a user, or a held-out rating.

    Output `examples`: an Examples artifact with the splits train, valid and
    test (schema/interactions.pbtxt) and its counts (`counts.INTERACTION_COUNTS`)
    as int custom properties.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.InteractionsExecutor)

    def __init__(
        self,
        input_base: str,
        format_name: str,
        config: IngestConfig,
        source_digest: str,
        table: TableConfig = TableConfig(),  # noqa: B008 - is frozen
    ) -> None:
        """Declare the component.

        Args:
          input_base: the data folder, a path or a URI.
          format_name: a name known to components.formats.
          config: what to keep and how to break ties.
          source_digest: of the sources that this component runs, so that the
            cache notices an edit; it has no other effect.
          table: file and columns of a table of one's own.

        Raises:
          UserError: unknown format, or one that has no such settings.
        """
        super().__init__(
            input_base=input_base,
            input_config=_input_config(format_name, table, executor.INTERACTION_ROLES),
            output_config=example_gen_pb2.Output(),
            custom_config=_custom_config(
                {
                    executor.FORMAT_KEY: format_name,
                    executor.INGEST_KEY: json.dumps(to_dict(config), sort_keys=True),
                    DIGEST_KEY: source_digest,
                },
                table,
            ),
        )


class CatalogExampleGen(FileBasedExampleGen):
    """Read raw items, and those the interactions add, and output one example an item.

    Output `examples`: an Examples artifact with the split catalog
    (schema/catalog.pbtxt) and its counts (`counts.CATALOG_COUNTS`) as int custom
    properties.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.CatalogExecutor)

    def __init__(
        self,
        input_base: str,
        format_name: str,
        source_digest: str,
        table: TableConfig = TableConfig(),  # noqa: B008 - is frozen
    ) -> None:
        """Declare the component.

        Args:
          input_base: the data folder, a path or a URI.
          format_name: a name known to components.formats.
          source_digest: see InteractionsExampleGen.
          table: see InteractionsExampleGen.

        Raises:
          UserError: see InteractionsExampleGen.
        """
        super().__init__(
            input_base=input_base,
            input_config=_input_config(format_name, table, executor.CATALOG_ROLES),
            output_config=example_gen_pb2.Output(),
            custom_config=_custom_config(
                {executor.FORMAT_KEY: format_name, DIGEST_KEY: source_digest}, table
            ),
        )


def _input_config(
    format_name: str, table: TableConfig, roles: Sequence[str]
) -> example_gen_pb2.Input:
    """Make an input split for each pattern of the roles; it may match no file."""
    patterns = formats.get(format_name, table).patterns()
    return example_gen_pb2.Input(
        splits=[
            example_gen_pb2.Input.Split(name=key, pattern=pattern)
            for role in roles
            for key, pattern in patterns.items()
            if key.partition(" ")[0] == role
        ]
    )


def _custom_config(values: dict[str, str], table: TableConfig) -> example_gen_pb2.CustomConfig:
    struct = struct_pb2.Struct()
    struct.update(values)
    if table != TableConfig():
        # Left out otherwise, so that other data have the cache keys that they had.
        struct.update({executor.TABLE_KEY: json.dumps(to_dict(table), sort_keys=True)})
    config = example_gen_pb2.CustomConfig()
    config.custom_config.Pack(struct)
    return config
