"""The DoFns of the generators' graphs: what happens to a range or a partition.

`executor` chains them. Elements are (key, (kind, Arrow IPC stream)) pairs: the
key is the partition of users, the kind a role of components.formats.base or
what a step made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen import catalog, counts, kcore, sort_and_dedupe
from components.example_gen.config import IngestConfig
from components.example_gen.io import encoding, reading, tables
from components.example_gen.io.writing import Shard
from components.example_gen.splits import held_out, time_cutoffs
from components.formats import base
from schema import features

Part = tuple[str, bytes]
Keyed = tuple[int, Part]

# Kinds of parts besides the roles of files; NOTHING only makes a partition exist.
NOTHING = "nothing"
_SORTED = "sorted"
_PAIRS = "pairs"
_TIMES = "times"
_KEPT_USERS = "kept_users"
_KEPT_ITEMS = "kept_items"
# Tag of the items that occur in a partition.
ITEMS_TAG = "items_of_partition"


class ReadPartitions(beam.DoFn):
    """Read ranges of files and cut their tables by user."""

    def __init__(self, layout: base.Format, partitions: int) -> None:
        """Set the format to read and the number of partitions."""
        self._layout = layout
        self._partitions = partitions

    def process(self, element: reading.FileRange) -> Iterator[Keyed]:
        """Yield the parts of one range."""
        for table in reading.parse(self._layout, element):
            role = element.role
            if role in (base.INTERACTIONS, base.HELD_OUT):
                table = sort_and_dedupe.flag_held_out(table, role == base.HELD_OUT)
                role = base.INTERACTIONS
            for partition, rows in tables.scatter(table, features.USER_ID, self._partitions):
                yield partition, (role, tables.to_bytes(rows))


class SortPartition(beam.DoFn):
    """Order, deduplicate and filter a partition's interactions."""

    def __init__(self, config: IngestConfig) -> None:
        """Set the rules."""
        self._config = config

    def process(self, element: tuple[int, Iterable[Part]]) -> Iterator[tuple[int, list[Part]]]:
        """Yield the partition with its interactions in order."""
        partition, values = element
        parts = list(values)
        table = _collect(parts, base.INTERACTIONS)
        rest = [part for part in parts if part[0] != base.INTERACTIONS]
        if table is not None:
            ordered, found = sort_and_dedupe.sort_and_dedupe(table, self._config)
            counts.add(found)
            rest.append((_SORTED, tables.to_bytes(ordered)))
        yield partition, rest


def pairs_of(element: tuple[int, list[Part]]) -> Iterator[Keyed]:
    """Yield the (user, item) pairs of a sorted partition, all under one key."""
    table = _collect(element[1], _SORTED)
    if table is not None:
        pairs = table.select([features.USER_ID, features.ITEM_ID])
        yield 0, (_PAIRS, tables.to_bytes(pairs))


def core_of(element: tuple[int, Iterable[Part]], config: IngestConfig) -> list[Part]:
    """Return the users and items in the core of all pairs."""
    pairs = _collect(list(element[1]), _PAIRS)
    assert pairs is not None
    users, items = kcore.core(pairs, config.min_user_interactions, config.min_item_interactions)
    return [
        (_KEPT_USERS, tables.to_bytes(pa.table({features.USER_ID: users}))),
        (_KEPT_ITEMS, tables.to_bytes(pa.table({features.ITEM_ID: items}))),
    ]


def prune(element: tuple[int, list[Part]], core: list[Part]) -> tuple[int, list[Part]]:
    """Keep those of a sorted partition's interactions that belong to the core."""
    partition, parts = element
    table = _collect(parts, _SORTED)
    if table is None:
        return element
    rest = [part for part in parts if part[0] != _SORTED]
    return partition, [*rest, (_SORTED, tables.to_bytes(_within(table, core)))]


def times_of(element: tuple[int, list[Part]]) -> Iterator[Keyed]:
    """Yield how often each timestamp occurs in a partition, all under one key."""
    table = _collect(element[1], _SORTED)
    if table is not None:
        yield 0, (_TIMES, tables.to_bytes(time_cutoffs.count_times(table)))


def cutoffs_of(
    element: tuple[int, Iterable[Part]], config: IngestConfig
) -> time_cutoffs.TimeCutoffs | None:
    """Return the temporal split's points in time; None without interactions."""
    times = _collect(list(element[1]), _TIMES)
    assert times is not None
    return time_cutoffs.find(times, config) if times.num_rows else None


class SplitPartition(beam.DoFn):
    """Hold out and encode a partition, with a tagged output for each split.

    Each split's output gets one shard for every partition, even an empty one: a
    split without files could not be read by whoever has to find it empty.
    """

    def __init__(self, partitions: int, brings_held_out: bool, config: IngestConfig) -> None:
        """Set the number of partitions, whether the dataset has a held-out file, and the rules."""
        self._config = config
        self._partitions = partitions
        self._brings_held_out = brings_held_out

    def process(
        self, element: tuple[int, list[Part]], cutoffs: time_cutoffs.TimeCutoffs | None = None
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        """Yield (split, shard) for each split, and (ITEMS_TAG, part)."""
        partition, parts = element
        table = _collect(parts, _SORTED)
        encoded: dict[str, list[bytes]] = {}
        if table is not None and table.num_rows:
            inputs = held_out.SplitInputs(
                _collect(parts, base.USERS),
                _collect(parts, base.CANDIDATES),
                self._brings_held_out,
                cutoffs,
            )
            rows, found = held_out.split(table, inputs, self._config)
            counts.add(found)
            encoded = {name: encoding.encode(columns) for name, columns in rows.items()}
            items = tables.to_bytes(catalog.item_ids(base.INTERACTIONS, table))
            yield beam.pvalue.TaggedOutput(ITEMS_TAG, (0, (base.ITEMS, items)))
        for name in features.INTERACTION_SPLITS:
            shard = Shard(partition, self._partitions, encoded.get(name, []))
            yield beam.pvalue.TaggedOutput(name, shard)


def count_items(element: tuple[int, Iterable[Part]]) -> None:
    """Count the distinct items of all partitions."""
    items = _collect(list(element[1]), base.ITEMS)
    assert items is not None
    counts.add({counts.ITEMS: len(tables.distinct(items, features.ITEM_ID))})


class ReadItems(beam.DoFn):
    """Read ranges of files for the catalog: items files whole, of others the item ids only."""

    def __init__(self, layout: base.Format) -> None:
        """Set the format to read."""
        self._layout = layout

    def process(self, element: reading.FileRange) -> Iterator[Keyed]:
        """Yield the parts of one range, all ranges under one key."""
        for table in reading.parse(self._layout, element):
            if element.role == base.ITEMS:
                yield 0, (base.ITEMS, tables.to_bytes(table))
            else:
                mentioned = catalog.item_ids(element.role, table)
                yield 0, (base.INTERACTIONS, tables.to_bytes(mentioned))


def catalog_shard(element: tuple[int, Iterable[Part]]) -> Shard:
    """Build and encode the catalog."""
    parts = list(element[1])
    columns, found = catalog.build(_collect(parts, base.ITEMS), _collect(parts, base.INTERACTIONS))
    counts.add(found)
    return Shard(0, 1, encoding.encode(columns))


def _collect(parts: list[Part], kind: str) -> pa.Table | None:
    return tables.from_bytes(stream for part_kind, stream in parts if part_kind == kind)


def _within(table: pa.Table, core: list[Part]) -> pa.Table:
    """Keep the rows whose user and item are both in the core, and count the others."""
    kept = None
    for kind, name in ((_KEPT_USERS, features.USER_ID), (_KEPT_ITEMS, features.ITEM_ID)):
        allowed = _collect(core, kind)
        assert allowed is not None
        column = tables.encoded(table, name)
        value_set = allowed.column(name).combine_chunks()
        inside = pc.is_in(column.dictionary, value_set=value_set).take(column.indices)
        kept = inside if kept is None else pc.and_(kept, inside)
    pruned = table.filter(kept)
    counts.add({counts.DROPPED_BY_CORE: table.num_rows - pruned.num_rows})
    return pruned
