"""Arrow tables as Beam elements: serialized, cut by user, put together again.

Beam elements are Arrow IPC streams rather than table objects, so every runner
carries them as plain bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen import hashing
from schema.errors import UserError


def to_bytes(table: pa.Table) -> bytes:
    """Serialize a table.

    Args:
      table: any table; chunks are combined.

    Returns:
      An Arrow IPC stream.
    """
    sink = pa.BufferOutputStream()
    combined = table.unify_dictionaries().combine_chunks()
    with pa.ipc.new_stream(sink, combined.schema) as writer:
        writer.write_table(combined)
    result: bytes = sink.getvalue().to_pybytes()
    return result


def from_bytes(parts: Iterable[bytes]) -> pa.Table | None:
    """Read serialized tables of one schema into one.

    Args:
      parts: Arrow IPC streams.

    Returns:
      Their rows in the order of `parts`, each column in one chunk with one
      dictionary; None without parts.
    """
    tables = [pa.ipc.open_stream(part).read_all() for part in parts]
    if not tables:
        return None
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def encoded(table: pa.Table, name: str) -> pa.DictionaryArray:
    """Return a text column of a table as one dictionary array.

    Args:
      table: has the column as string or dictionary of string.
      name: of the column.

    Returns:
      Dictionary array [rows]; its dictionary may hold unused values.
    """
    column = table.column(name)
    if len(column) == 0:
        # pyarrow 10 crashes on dictionary columns without chunks.
        return pa.array([], pa.string()).dictionary_encode()
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    return column.combine_chunks() if column.num_chunks > 1 else column.chunk(0)


def distinct(table: pa.Table, name: str) -> pa.Array:
    """List the distinct values of a text column.

    Args:
      table: has the column as string or dictionary of string.
      name: of the column.

    Returns:
      String array, each value once.
    """
    column = encoded(table, name)
    used = np.unique(column.indices.to_numpy(zero_copy_only=False))
    return column.dictionary.take(pa.array(used))


def scatter(table: pa.Table, name: str, partitions: int) -> Iterator[tuple[int, pa.Table]]:
    """Cut a table into parts by the hash of an id.

    Args:
      table: rows to cut.
      name: of the id column.
      partitions: how many parts there are.

    Yields:
      (partition, its rows in their order), for partitions that get rows.
    """
    if partitions == 1:
        if table.num_rows:
            yield 0, table
        return
    column = encoded(table, name)
    by_value = hashing.partition_of(hashing.hash_ids(column.dictionary), partitions)
    by_row = by_value[column.indices.to_numpy(zero_copy_only=False)]
    order = np.argsort(by_row, kind="stable")
    bounds = np.searchsorted(by_row[order], np.arange(partitions + 1))
    for partition in range(partitions):
        rows = order[bounds[partition] : bounds[partition + 1]]
        if len(rows):
            yield partition, table.take(pa.array(rows))


def require_unique(keys: pa.Array | pa.ChunkedArray, what: str) -> None:
    """Refuse a table that describes one thing twice.

    Args:
      keys: text [N] that should be distinct.
      what: what a key is, for the message.

    Raises:
      UserError: naming the first key, in sorted order, that occurs twice.
    """
    counted = keys.value_counts()
    repeated = counted.filter(pc.greater(counted.field("counts"), 1)).field("values")
    if len(repeated):
        raise UserError(
            f"{what} {min(repeated.to_pylist())!r} occurs more than once, expected one row each."
        )
