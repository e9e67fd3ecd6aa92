"""The catalog's rows: the items file and whatever items the interactions add."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen import counts
from components.example_gen.io import tables
from components.example_gen.splits.user_segments import Columns, singles
from components.formats import base
from components.formats.reading import schemas
from schema import features


def item_ids(role: str, table: pa.Table) -> pa.Table:
    """List the distinct items that a table mentions.

    Args:
      role: of the table's file.
      table: the role's canonical table.

    Returns:
      A table of one string column, `item_id`.
    """
    if role == base.CANDIDATES:
        mentioned = table.column(features.CANDIDATE_ITEM_ID).combine_chunks().flatten().unique()
    else:
        mentioned = tables.distinct(table, features.ITEM_ID)
    return pa.table({features.ITEM_ID: mentioned})


def build(items: pa.Table | None, mentioned: pa.Table | None) -> tuple[Columns, dict[str, int]]:
    """Build the rows of the catalog, in the order of the item ids' bytes.

    Args:
      items: components.formats.reading.schemas.ITEMS_SCHEMA; None without an items file.
      mentioned: `item_id`s of the interactions, with repetitions.

    Returns:
      List columns, and counts. An item that the items file lacks has its id
      only.

    Raises:
      UserError: an item described twice.
    """
    if items is None:
        items = schemas.ITEMS_SCHEMA.empty_table().select([features.ITEM_ID])
    tables.require_unique(items.column(features.ITEM_ID), "items file: item")
    known = items.column(features.ITEM_ID).combine_chunks()
    seen = pa.array([], pa.string())
    if mentioned is not None:
        seen = tables.distinct(mentioned, features.ITEM_ID)
    missing = seen.filter(pc.invert(pc.is_in(seen, value_set=known)))
    every = pa.concat_arrays([known, missing]).cast(pa.binary())
    order = pc.sort_indices(every)
    columns = {features.ITEM_ID: singles(every.take(order))}
    # Rows past the file's are those of the missing items: null in every column.
    in_file = pc.if_else(pc.less(order, len(known)), order, None)
    for name in items.column_names[1:]:
        columns[name] = _lists(items.column(name).combine_chunks().take(in_file))
    return columns, {counts.ITEMS: len(every), counts.ITEMS_MISSING_FROM_CATALOG: len(missing)}


def _lists(values: pa.Array) -> pa.ListArray:
    """Turn a column into lists of what tf.Examples hold; text becomes bytes."""
    if pa.types.is_list(values.type):
        return values.cast(pa.list_(pa.binary()))
    return singles(values.cast(pa.binary()) if pa.types.is_string(values.type) else values)
