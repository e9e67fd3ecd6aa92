"""Packs the outputs of `rank` a batch at a time, and unpacks a slice's.

All metrics of an evaluation share one combiner. A batch is packed into two arrays
of 32-bit numbers before its slices take their rows of it, so a slice's accumulator
only lists arrays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.rank_outputs import RankOutputs
from components.metrics.table import RankTable

# TFMA drops keys that begin with "_" before it writes results.
TABLE = "_rank_table"
ROW_COUNT = "_row_count"
# Under which an extract holds its Packed rows.
RANKS = "ranks"
# A fingerprint takes two of the 32-bit numbers; the first column counts targets.
_HEAD = 3

# Outputs by model and name: [B], [B, K], or [B, T] padded with -1 or NaN.
Outputs = Mapping[str, Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Column:
    """Name one output of one model.

    Attributes:
      model: its name.
      name: of the output.
      real: whether it is a float32, else an int32.
      width: values a row; 0 for one a target.
    """

    model: str
    name: str
    real: bool
    width: int

    def pack(self, value: np.ndarray) -> np.ndarray:
        """Return the bits of values as int32, of the same shape."""
        kind = np.float32 if self.real else np.int32
        return np.ascontiguousarray(value, kind).view(np.int32)

    def unpack(self, bits: np.ndarray) -> np.ndarray:
        """Return the values of int32 bits."""
        bits = np.ascontiguousarray(bits)
        return bits.view(np.float32) if self.real else bits


@dataclasses.dataclass
class Packed:
    """Hold rows of all models.

    Attributes:
      columns: what a row holds, those of rows before those of targets; empty
        without rows.
      rows: int32 [N, W] each: count of targets, fingerprint (2), then the columns
        of rows.
      targets: int32 [M, V] each, a row's targets after the other's.
    """

    columns: tuple[Column, ...] = ()
    rows: list[np.ndarray] = dataclasses.field(default_factory=list)
    targets: list[np.ndarray] = dataclasses.field(default_factory=list)

    def append(self, other: Packed) -> None:
        """Add the rows of `other`; ValueError unless its columns are the same."""
        self.columns = self.columns or other.columns
        if other.columns not in (self.columns, ()):
            raise ValueError(
                f"The outputs of rank differ: expected {_shapes(self)}, got {_shapes(other)}."
            )
        self.rows += other.rows
        self.targets += other.targets

    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all rows, int32 [N, W], and all targets, int32 [M, V]."""
        return np.concatenate(self.rows), np.concatenate(self.targets)


def pack(outputs: Outputs) -> Packed:
    """Pack a batch's outputs of all models.

    Args:
      outputs: of B rows; an output that has one value a target is negative or NaN
        past a row's last.

    Returns:
      The rows, those without targets among them.
    """
    columns = _layout(outputs)
    held_out = next(column for column in columns if RankOutputs.counts_greater(column.name))
    there = outputs[held_out.model][held_out.name] >= 0
    users = outputs[held_out.model][RankOutputs.USER].astype(np.int64)
    rows = [
        there.sum(axis=1, dtype=np.int32)[:, np.newaxis],
        users[:, np.newaxis].view(np.int32),
    ]
    targets = []
    for column in columns:
        bits = column.pack(outputs[column.model][column.name])
        if column.width:
            rows.append(bits.reshape(len(there), column.width))
        else:
            targets.append(bits[there])
    return Packed(columns, [np.concatenate(rows, axis=1)], [np.stack(targets, axis=1)])


def take(packed: Packed, groups: Iterable[np.ndarray]) -> Iterator[Packed]:
    """Take rows of a batch.

    Args:
      packed: the batch.
      groups: positions of rows, int64 [N] each.

    Yields:
      The rows of each group.
    """
    rows, targets = packed.joined()
    count = rows[:, 0].astype(np.int64)
    starts = np.cumsum(count) - count
    for group in groups:
        own = _ranges(starts[group], count[group])
        yield Packed(packed.columns, [rows[group]], [targets[own]])


class ReadRanks(metric_types.Preprocessor):
    """Hand the packed rows of an extract to the combiner."""

    def process(self, extracts: dict[str, Packed]) -> Iterator[Packed]:
        """Yield the rows.

        Args:
          extracts: of one slice's rows of a batch, with RANKS.

        Yields:
          The rows.
        """
        yield extracts[RANKS]


class GatherRanks(beam.CombineFn):
    """Join packed rows into one RankTable a model.

    Args:
      model_names: the models.
    """

    def __init__(self, model_names: list[str]) -> None:
        self._models = model_names

    def create_accumulator(self) -> Packed:
        """Start without rows."""
        return Packed()

    def add_input(self, accumulator: Packed, element: Packed) -> Packed:
        """Append rows."""
        accumulator.append(element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Packed]) -> Packed:
        """Append all to a new one."""
        merged = Packed()
        for accumulator in accumulators:
            merged.append(accumulator)
        return merged

    def extract_output(
        self, accumulator: Packed
    ) -> dict[metric_types.MetricKey, RankTable | float]:
        """Return how many rows there are, and the tables of those that hold anything out.

        By ROW_COUNT's and TABLE's key of each model; no tables without such rows.
        """
        if not accumulator.columns:
            return {}
        rows, targets = accumulator.joined()
        found: dict[metric_types.MetricKey, RankTable | float] = {
            metric_types.MetricKey(ROW_COUNT, model_name=model): float(len(rows))
            for model in self._models
        }
        rows = rows[rows[:, 0] > 0]
        if len(rows):
            for model in self._models:
                key = metric_types.MetricKey(TABLE, model_name=model)
                found[key] = _table(accumulator.columns, rows, targets, model)
        return found


def gather_computation(model_names: list[str]) -> metric_types.MetricComputation:
    """Describe the one computation that all metrics derive from; TFMA keeps one of equal ones.

    Args:
      model_names: the models.

    Returns:
      What gives the RankTables.
    """
    return metric_types.MetricComputation(
        keys=[metric_types.MetricKey(TABLE, model_name=model) for model in model_names],
        preprocessors=[ReadRanks()],
        combiner=GatherRanks(model_names),
    )


def _layout(outputs: Outputs) -> tuple[Column, ...]:
    """List the columns of the outputs, those of rows before those of targets."""
    columns = [
        Column(model, name, np.asarray(value).dtype.kind == "f", _width(name, value))
        for model, named in outputs.items()
        for name, value in sorted(named.items())
        if name != RankOutputs.USER
    ]
    return tuple(sorted(columns, key=lambda column: not column.width))


def _width(name: str, value: np.ndarray) -> int:
    if RankOutputs.has_a_value_a_target(name):
        return 0
    return value.shape[1] if name in RankOutputs.LISTS else 1


def _shapes(packed: Packed) -> str:
    names = (f"{column.model} {column.name} [{column.width or 'T'}]" for column in packed.columns)
    return ", ".join(name.strip() for name in names)


def _ranges(starts: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return starts[0] .. starts[0] + count[0] - 1, then those of the next: int64."""
    ends = np.cumsum(count)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - count), count)


def _table(
    columns: tuple[Column, ...], rows: np.ndarray, targets: np.ndarray, model: str
) -> RankTable:
    users = np.ascontiguousarray(rows[:, 1:_HEAD]).view(np.int64)[:, 0]
    # Rows arrive in any order; sums of floats must not.
    order = np.argsort(users, kind="stable")
    count = rows[:, 0].astype(np.int64)
    starts = np.cumsum(count) - count
    targets = targets[_ranges(starts[order], count[order])]
    table = RankTable(users[order], count[order], {}, {}, {})
    start = _HEAD
    for column in columns:
        if column.model == model and column.width:
            values = column.unpack(rows[order, start : start + column.width])
            is_list = column.name in RankOutputs.LISTS
            (table.lists if is_list else table.rows)[column.name] = (
                values if is_list else values[:, 0]
            )
        start += column.width
    for number, column in enumerate(column for column in columns if not column.width):
        if column.model == model:
            table.targets[column.name] = column.unpack(targets[:, number])
    return table
