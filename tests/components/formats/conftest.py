"""Reads a role's file as the example generators do: located, cut, parsed."""

import pathlib

import pyarrow as pa
import pytest

from components import formats
from components.formats import base


def _cut(path: str, pieces: int) -> list[base.Chunk]:
    lines = pathlib.Path(path).read_bytes().splitlines(keepends=True)
    step = max(1, -(-len(lines) // pieces))
    chunks, offset = [], 0
    for start in range(0, len(lines), step):
        data = b"".join(lines[start : start + step])
        chunks.append(base.Chunk(path, offset, data))
        offset += len(data)
    return chunks


@pytest.fixture
def read():
    """Function (folder, format name, role, pieces=1) -> rows as dicts."""

    def rows(folder, name: str, role: str, pieces: int = 1) -> list[dict]:
        adapter = formats.get(name)
        (path,) = adapter.locate(str(folder))[role]
        header = adapter.read_header(role, path)
        method = "interactions" if role == base.HELD_OUT else role
        parse = getattr(adapter, f"parse_{method}")
        tables = [parse(chunk, header) for chunk in _cut(path, pieces)]
        return pa.concat_tables(tables).to_pylist()

    return rows
