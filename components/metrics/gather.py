"""Packs the outputs of the `rank` signature a row at a time, and unpacks a slice's.

All metrics of an evaluation share one combiner. A row is packed into bytes
before it is handed to its slices, so a slice's accumulator only appends: it is
two flat arrays of 32-bit numbers.
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
# A fingerprint takes two of the 32-bit numbers; the first column counts targets.
_HEAD = 3


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

    def pack(self, value: np.ndarray) -> bytes:
        """Return the bits of a row's values; ValueError unless there are `width`."""
        bits = np.asarray(value, np.float32 if self.real else np.int32).tobytes()
        if self.width and len(bits) != 4 * self.width:
            expected = f"{self.name}: expected {self.width} values a row"
            raise ValueError(f"{expected}, got {len(bits) // 4}.")
        return bits

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
      rows: int32 numbers, a row's after the other's: count of targets,
        fingerprint (2), then the columns of rows.
      targets: int32 numbers, a target's after the other's.
    """

    columns: tuple[Column, ...] = ()
    rows: bytearray = dataclasses.field(default_factory=bytearray)
    targets: bytearray = dataclasses.field(default_factory=bytearray)

    def append(self, other: Packed) -> None:
        """Add the rows of `other`; ValueError unless its columns are the same."""
        self.columns = self.columns or other.columns
        if other.columns not in (self.columns, ()):
            raise ValueError("The rank signature of one model gave different outputs.")
        self.rows += other.rows
        self.targets += other.targets


class PackRanks(metric_types.Preprocessor):
    """Pack a row's outputs of all models.

    Args:
      model_names: the models.
    """

    def __init__(self, model_names: list[str]) -> None:
        super().__init__()
        self._models = model_names
        self._columns: tuple[Column, ...] = ()

    def process(self, extracts: dict[str, object]) -> Iterator[Packed]:
        """Pack one row.

        Args:
          extracts: TFMA's extracts of one row; an output is an array of its
            values, or a scalar for one.

        Yields:
          The row; nothing for a row without targets.
        """
        inputs = metric_types.StandardMetricInputs(extracts)
        outputs = {model: inputs.get_predictions(model) for model in self._models}
        columns = self._columns = self._columns or _layout(outputs)
        held_out = next(column for column in columns if RankOutputs.counts_greater(column.name))
        real = np.ravel(outputs[held_out.model][held_out.name]) >= 0
        count = int(np.count_nonzero(real))
        if not count:
            return
        user = np.ravel(outputs[held_out.model][RankOutputs.USER]).astype(np.int64)
        head = np.asarray([count], np.int32).tobytes() + user.tobytes()
        bits = [column.pack(outputs[column.model][column.name]) for column in columns]
        split = sum(1 for column in columns if column.width)
        # A target's values lie together.
        of_targets = np.frombuffer(b"".join(bits[split:]), np.int32).reshape(-1, real.size)
        yield Packed(
            columns,
            bytearray(head + b"".join(bits[:split])),
            bytearray(of_targets[:, real].T.tobytes()),
        )


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
        """Append a row."""
        accumulator.append(element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Packed]) -> Packed:
        """Append all to a new one."""
        merged = Packed()
        for accumulator in accumulators:
            merged.append(accumulator)
        return merged

    def extract_output(self, accumulator: Packed) -> dict[metric_types.MetricKey, RankTable]:
        """Return the tables by TABLE's key of each model; none without rows."""
        if not accumulator.columns:
            return {}
        return {
            metric_types.MetricKey(TABLE, model_name=model): _table(accumulator, model)
            for model in self._models
        }


def _layout(outputs: Mapping[str, Mapping[str, np.ndarray]]) -> tuple[Column, ...]:
    """List the columns of a row's outputs, those of rows before those of targets."""
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
    return np.size(value) if name in RankOutputs.LISTS else 1


def _table(packed: Packed, model: str) -> RankTable:
    of_rows = [column for column in packed.columns if column.width]
    of_targets = [column for column in packed.columns if not column.width]
    width = _HEAD + sum(column.width for column in of_rows)
    rows = np.frombuffer(bytes(packed.rows), np.int32).reshape(-1, width)
    targets = np.frombuffer(bytes(packed.targets), np.int32).reshape(-1, len(of_targets))
    users = np.ascontiguousarray(rows[:, 1:_HEAD]).view(np.int64)[:, 0]
    # Rows arrive in any order; sums of floats must not.
    order = np.argsort(users, kind="stable")
    count = rows[:, 0].astype(np.int64)
    starts = np.cumsum(count) - count
    ends = np.cumsum(count[order])
    inside = np.arange(len(targets)) - np.repeat(ends - count[order], count[order])
    targets = targets[np.repeat(starts[order], count[order]) + inside]
    table = RankTable(users[order], count[order], {}, {}, {})
    start = _HEAD
    for column in of_rows:
        if column.model == model:
            values = column.unpack(rows[order, start : start + column.width])
            is_list = column.name in RankOutputs.LISTS
            (table.lists if is_list else table.rows)[column.name] = (
                values if is_list else values[:, 0]
            )
        start += column.width
    for number, column in enumerate(of_targets):
        if column.model == model:
            table.targets[column.name] = column.unpack(targets[:, number])
    return table
