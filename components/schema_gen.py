"""CuratedSchema: puts a packaged schema file into the pipeline as an artifact.

The stock ImportSchemaGen wants a path, which would tie the pipeline to where
the package lies; this component names the schema and reads it from the package
on whatever machine it runs.
"""

import os

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts

from schema import curated

FILE_NAME = "schema.pbtxt"


@component
def CuratedSchema(
    schema: OutputArtifact[standard_artifacts.Schema],
    name: Parameter[str],
    digest: Parameter[str],
) -> None:
    """Write a curated schema as a standard Schema artifact.

    Args:
      schema: the artifact; gets one file, FILE_NAME.
      name: one of schema.curated.NAMES.
      digest: `schema.curated.digest(name)` when the pipeline was built; it only
        makes the cache notice an edited schema.

    Raises:
      UserError: no such schema.
    """
    del digest
    text = curated.read(name)
    fileio.makedirs(schema.uri)
    with fileio.open(os.path.join(schema.uri, FILE_NAME), "w") as file:
        file.write(text)
