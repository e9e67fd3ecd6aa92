"""The curated schema files, as text and as a digest.

`components.schema_gen` turns them into Schema artifacts; tests and tools parse
them as `tensorflow_metadata` Schema protos. Standard library only.
"""

from __future__ import annotations

import hashlib
from importlib import resources

from schema.errors import UserError

INTERACTIONS = "interactions"
CATALOG = "catalog"
NAMES = (INTERACTIONS, CATALOG)


def read(name: str) -> str:
    """Read a curated schema, wherever the package is installed.

    Args:
      name: one of NAMES.

    Returns:
      The schema as a text-format proto.

    Raises:
      UserError: no such schema.
    """
    if name not in NAMES:
        raise UserError(f"schema: expected one of {', '.join(NAMES)}, got {name!r}.")
    return resources.files("schema").joinpath(f"{name}.pbtxt").read_text(encoding="utf-8")


def digest(name: str) -> str:
    """Digest a curated schema, for the cache keys of components.

    Args:
      name: one of NAMES.

    Returns:
      SHA-256 of the file in hexadecimal.

    Raises:
      UserError: no such schema.
    """
    return hashlib.sha256(read(name).encode("utf-8")).hexdigest()
