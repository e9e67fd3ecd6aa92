"""MovieLens 20M, 25M, 32M and latest: .csv files with a header, UTF-8.

Columns may be in any order, among others or alone. A `ratings.csv` without these
columns is a table of one's own, see components.formats.table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa

from components.formats import base
from components.formats.reading.chunk import Chunk
from components.formats.reading.delimited import read_interactions
from components.formats.reading.headers import column_names, require_columns
from components.formats.reading.item_rows import read_items
from components.formats.reading.layout import Layout
from schema import features

_INTERACTIONS = {
    features.USER_ID: "userId",
    features.ITEM_ID: "movieId",
    features.RATING: "rating",
    features.TIMESTAMP: "timestamp",
}
_ITEMS = {features.ITEM_ID: "movieId", features.TITLE: "title", features.GENRES: "genres"}


class MlCsv(base.Format):
    """Read ratings.csv and movies.csv; columns are found by name."""

    name = "ml-csv"
    files: ClassVar[Mapping[str, str]] = {
        base.INTERACTIONS: "ratings.csv",
        base.ITEMS: "movies.csv",
    }
    headed = True

    def check_header(self, role: str, path: str, header: bytes) -> None:
        """See Format."""
        required = _ITEMS if role == base.ITEMS else _INTERACTIONS
        require_columns(path, _columns(header), required.values())

    def parse_interactions(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format."""
        return read_interactions(
            chunk,
            Layout(
                delimiter=",",
                columns=_columns(header),
                roles=_INTERACTIONS,
                quoted=True,
                headed=True,
            ),
        )

    def parse_items(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format."""
        return read_items(chunk, ",", _columns(header), _ITEMS)


def _columns(header: bytes) -> tuple[str, ...]:
    return column_names(header, ",", quoted=True, typed=False)
