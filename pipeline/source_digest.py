"""Digests of source files, for the pipeline's cache.

TFX's cache key does not know the code behind a dotted path, so pipeline.pipeline
puts these digests among the components' properties: an edit reruns what depends
on it.
"""

from __future__ import annotations

import hashlib
import pathlib

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_SUFFIXES = (".py", ".pbtxt")


def source_digest(*paths: str, root: pathlib.Path = _ROOT) -> str:
    """Compute SHA-256 over Python and pbtxt files, by relative path and content only.

    Args:
      paths: files, or folders taken with all below them, relative to the
        folder that holds the project's packages; their order does not matter.
      root: that folder.

    Returns:
      64 hexadecimal digits.

    Raises:
      FileNotFoundError: a path does not exist, or holds no source file.
    """
    files: set[pathlib.Path] = set()
    for path in paths:
        here = root / path
        found = [here] if here.is_file() else [f for f in here.rglob("*") if f.suffix in _SUFFIXES]
        if not found:
            raise FileNotFoundError(f"no source files at {here}")
        files.update(found)
    digest = hashlib.sha256()
    for name, file in sorted((file.relative_to(root).as_posix(), file) for file in files):
        content = file.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
