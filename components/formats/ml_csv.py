"""MovieLens 20M, 25M, 32M and latest: .csv files with a header, UTF-8.

Also the layout for a table of one's own: a `ratings.csv` with the columns
userId, movieId, rating and timestamp, in any order, among others or alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa

from components.formats import base
from components.formats.chunk import Chunk
from components.formats.delimited import Layout, read_interactions, split_fields
from components.formats.headers import column_names, require_columns
from components.formats.lines import decode, expect_fields, iterate
from components.formats.titles import split_genres, split_title
from schema import features

_INTERACTIONS = {
    features.USER_ID: "userId",
    features.ITEM_ID: "movieId",
    features.RATING: "rating",
    features.TIMESTAMP: "timestamp",
}
_ITEMS = ("movieId", "title", "genres")


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
        required = _ITEMS if role == base.ITEMS else tuple(_INTERACTIONS.values())
        require_columns(path, _columns(header), required)

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
        names = _columns(header)
        item_at, title_at, genres_at = (names.index(name) for name in _ITEMS)
        rows = []
        for number, line in iterate(chunk, headed=True):
            fields = split_fields(decode(chunk, number, line), ",", quoted=True)
            expect_fields(chunk, number, fields, names)
            item = fields[item_at].strip()
            if not item:
                chunk.fail(number, "movieId is empty, expected an id")
            title, year = split_title(fields[title_at])
            rows.append(
                {
                    features.ITEM_ID: item,
                    features.TITLE: title,
                    features.GENRES: split_genres(fields[genres_at]),
                    features.YEAR: year,
                }
            )
        return pa.Table.from_pylist(rows, base.ITEMS_SCHEMA)


def _columns(header: bytes) -> tuple[str, ...]:
    return column_names(header, ",", quoted=True, typed=False)
