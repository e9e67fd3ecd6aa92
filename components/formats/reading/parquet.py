"""Interactions in Parquet: batches of typed columns to canonical tables."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
from collections.abc import Iterator, Mapping
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.formats.reading import canonical, timestamps
from components.formats.reading.files import open_seekable
from components.formats.reading.lines import shown
from schema import features
from schema.errors import UserError

# Before 14.0.1 a type that a file declares could run the code that it brings along
# (CVE-2023-47248).
if tuple(int(part) for part in pa.__version__.split(".")[:3]) < (14, 0, 1):
    importlib.import_module("pyarrow_hotfix")

# Rows that are in memory at once.
_BATCH = 1 << 17
_DAY = 86_400
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclasses.dataclass(frozen=True)
class Rows:
    """Hold consecutive rows of a Parquet file.

    Attributes:
      path: the file, for messages.
      first: number of the first row, from 0.
      file_number: of the file among those of its table, from 0.
      batch: the rows; the columns that are read.
    """

    path: str
    first: int
    file_number: int
    batch: pa.RecordBatch

    def fail(self, wrong: pa.Array, name: str, expected: str) -> NoReturn:
        """Raise the UserError for the first bad value of a column.

        Args:
          wrong: bool [rows], true somewhere; null is false.
          name: of the column.
          expected: what was expected there.

        Raises:
          UserError: always, with file, row (1 for the first) and value.
        """
        at = int(np.flatnonzero(pc.fill_null(wrong, False).to_numpy(zero_copy_only=False))[0])
        value = self.batch.column(self.batch.schema.get_field_index(name))[at].as_py()
        what = "null" if value is None else shown(value if isinstance(value, str) else str(value))
        raise UserError(f"{self.path}, row {self.first + at + 1}: {name} is {what}, {expected}.")


@contextlib.contextmanager
def open_parquet(path: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file.

    Args:
      path: a path or a URI.

    Yields:
      The file.

    Raises:
      UserError: it is none, or is broken, also within the block.
    """
    with open_seekable(path) as file:
        try:
            yield pq.ParquetFile(file)
        # A runtime error is the hotfix's.
        except (pa.ArrowException, OSError, RuntimeError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{path}: cannot be read as Parquet ({reason[:200]}).") from None


def row_groups(path: str) -> list[int]:
    """Count the rows of each group of a Parquet file.

    Args:
      path: a path or a URI.

    Returns:
      A number for each group, in order.

    Raises:
      UserError: see `open_parquet`.
    """
    with open_parquet(path) as file:
        groups = range(file.metadata.num_row_groups)
        return [file.metadata.row_group(group).num_rows for group in groups]


def read_rows(
    path: str, columns: list[str], start: int, end: int, file_number: int = 0
) -> Iterator[Rows]:
    """Read the row groups that begin within a range of rows, a batch at a time.

    Args:
      path: a path or a URI.
      columns: those to read.
      start: first row of the range, from 0.
      end: row after the range.
      file_number: see Rows.

    Yields:
      The rows, in order.

    Raises:
      UserError: see `open_parquet`.
    """
    counts = np.array(row_groups(path), np.int64)
    firsts = np.cumsum(counts) - counts
    groups = np.flatnonzero((firsts >= start) & (firsts < end))
    if not len(groups):
        return
    first = int(firsts[groups[0]])
    with open_parquet(path) as file:
        for batch in file.iter_batches(_BATCH, groups.tolist(), columns):
            yield Rows(path, first, file_number, batch)
            first += batch.num_rows


def parse_rows(rows: Rows, roles: Mapping[str, str]) -> pa.Table:
    """Turn rows of a Parquet file into a canonical table.

    Args:
      rows: the rows.
      roles: canonical name -> column; rating and timestamp may be missing.

    Returns:
      A table of components.formats.reading.schemas.INTERACTIONS_SCHEMA.

    Raises:
      UserError: a value that is null or out of range, with its row, or a column of
        another type.
    """
    columns = {}
    for role, name in roles.items():
        values = rows.batch.column(rows.batch.schema.get_field_index(name))
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        expected = {features.RATING: "expected a number", features.TIMESTAMP: "expected a time"}
        if values.null_count:
            rows.fail(values.is_null(), name, expected.get(role, "expected an id"))
        try:
            columns[role] = _CONVERT[role](rows, name, values)
        except pa.ArrowInvalid as error:
            # Such as text that is not UTF-8.
            reason = " ".join(str(error).split())
            raise UserError(
                f"{rows.path}: column '{name}' cannot be read ({shown(reason)})."
            ) from None
    places = canonical.row_places(rows.file_number, rows.first) + np.arange(rows.batch.num_rows)
    return canonical.complete(pa.table(columns), places)


def _ids(rows: Rows, name: str, values: pa.Array) -> pa.Array:
    kind = values.type
    if not (_is_text(kind) or pa.types.is_binary(kind) or pa.types.is_integer(kind)):
        raise UserError(
            f"{rows.path}: column '{name}' has the type {kind}, expected text or whole numbers."
        )
    ids = values.cast(pa.string())
    if not pa.types.is_integer(kind):
        ids = pc.utf8_trim_whitespace(ids)
        length = pc.binary_length(ids)
        wrong = pc.or_(pc.equal(length, 0), pc.greater(length, canonical.LONGEST_ID))
        if pc.any(wrong).as_py():
            rows.fail(wrong, name, f"expected an id of 1 to {canonical.LONGEST_ID} bytes")
    return ids.dictionary_encode()


def _ratings(rows: Rows, name: str, values: pa.Array) -> pa.Array:
    kind = values.type
    if not (_is_number(kind) or pa.types.is_decimal(kind)):
        raise UserError(f"{rows.path}: column '{name}' has the type {kind}, expected numbers.")
    wide = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        ratings = pa.array(wide.astype(np.float32))
    wrong = pc.invert(pc.is_finite(ratings))
    if pc.any(wrong).as_py():
        rows.fail(wrong, name, "expected a finite number")
    return ratings


def _seconds(rows: Rows, name: str, values: pa.Array) -> pa.Array:
    kind = values.type
    if pa.types.is_timestamp(kind):
        ticks = values.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return pa.array(np.floor_divide(ticks, _PER_SECOND[kind.unit]))
    if pa.types.is_date(kind):
        days = values.cast(pa.date32()).cast(pa.int32()).to_numpy(zero_copy_only=False)
        return pa.array(days.astype(np.int64) * _DAY)
    if _is_text(kind):
        # By way of bytes: whoever wrote the file may not have checked that they are UTF-8.
        texts = values.cast(pa.binary()).cast(pa.string())
        seconds = timestamps.from_text(texts)
        if seconds is None:
            bad = [timestamps.of_text(text) is None for text in texts.to_pylist()]
            rows.fail(pa.array(bad), name, timestamps.EXPECTED)
        return seconds
    if not _is_number(kind):
        raise UserError(
            f"{rows.path}: column '{name}' has the type {kind}, expected times, numbers or text."
        )
    numbers = values.to_numpy(zero_copy_only=False)
    wrong = ~(np.abs(numbers.astype(np.float64)) < timestamps.MOST)
    if wrong.any():
        rows.fail(pa.array(wrong), name, timestamps.EXPECTED)
    wide = np.float64 if pa.types.is_floating(kind) else np.int64
    return pa.array(timestamps.from_numbers(numbers.astype(wide)))


_CONVERT = {
    features.USER_ID: _ids,
    features.ITEM_ID: _ids,
    features.RATING: _ratings,
    features.TIMESTAMP: _seconds,
}


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)
