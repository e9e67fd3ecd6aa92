"""RecBole's atomic files: tab-separated .inter, .user and .item with typed headers.

Described in RecBole's documentation, "Atomic Files"
(https://recbole.io/docs/user_guide/data/atomic_files.html). Columns are found by
name; the names are those of RecBole's own conversions of MovieLens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa

from components.formats import base
from components.formats.reading import schemas
from components.formats.reading.chunk import Chunk
from components.formats.reading.delimited import read_interactions
from components.formats.reading.headers import column_names, require_columns
from components.formats.reading.layout import Layout
from components.formats.reading.lines import decode, expect_fields, iterate, whole_number
from components.formats.reading.titles import split_genres, split_title
from schema import features

_INTERACTIONS = {name: name for name in schemas.INTERACTIONS_SCHEMA.names}
# Conversions differ in what they call the items' columns.
_TITLE = ("movie_title", "title")
_YEAR = ("release_year", "year")
_GENRES = ("class", "genre", "genres")
_REQUIRED = {
    base.INTERACTIONS: tuple(_INTERACTIONS),
    base.USERS: (features.USER_ID,),
    base.ITEMS: (features.ITEM_ID,),
}
# How the conversion of ML-100K writes the item that has no title.
_UNKNOWN = ("unknown", "unkonwn")


class RecBole(base.Format):
    """Read the atomic files of one dataset, in UTF-8."""

    name = "recbole"
    files: ClassVar[Mapping[str, str]] = {
        base.INTERACTIONS: "*.inter",
        base.USERS: "*.user",
        base.ITEMS: "*.item",
    }
    headed = True

    def check_header(self, role: str, path: str, header: bytes) -> None:
        """See Format."""
        require_columns(path, _columns(header), _REQUIRED[role])

    def parse_interactions(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format; fractions of a second are cut off."""
        return read_interactions(
            chunk,
            Layout(
                delimiter="\t",
                columns=_columns(header),
                roles=_INTERACTIONS,
                headed=True,
                float_timestamps=True,
            ),
        )

    def parse_users(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format; only the columns that the header names."""
        names = _columns(header)
        kept = [name for name in schemas.USERS_SCHEMA.names if name in names]
        rows = []
        for number, fields in _fields(chunk, names):
            row: dict[str, str | int | None] = {
                name: fields[names.index(name)].strip() or None for name in kept
            }
            if row[features.USER_ID] is None:
                chunk.fail(number, "user_id is empty, expected an id")
            if features.AGE in row:
                age = str(row[features.AGE] or "")
                row[features.AGE] = whole_number(chunk, number, features.AGE, age)
            rows.append(row)
        return pa.Table.from_pylist(rows, pa.schema([schemas.USERS_SCHEMA.field(n) for n in kept]))

    def parse_items(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format; where no year is given, the title's counts.

        Genres lie blank-separated in one field. The conversion of ML-100K has
        "V" and "unkonwn" for years, so what is no number counts as missing.
        """
        names = _columns(header)
        rows = []
        for number, fields in _fields(chunk, names):
            values = dict(zip(names, (field.strip() for field in fields), strict=True))
            if not values[features.ITEM_ID]:
                chunk.fail(number, "item_id is empty, expected an id")
            title, year = split_title(_first(values, _TITLE))
            given = _first(values, _YEAR).removesuffix(".0")
            if given.isdecimal() and len(given) == 4:
                year = int(given)
            rows.append(
                {
                    features.ITEM_ID: values[features.ITEM_ID],
                    features.TITLE: None if title in _UNKNOWN else title,
                    features.GENRES: split_genres(_first(values, _GENRES), " "),
                    features.YEAR: year,
                }
            )
        return pa.Table.from_pylist(rows, schemas.ITEMS_SCHEMA)


def _columns(header: bytes) -> tuple[str, ...]:
    return column_names(header, "\t", quoted=False, typed=True)


def _fields(chunk: Chunk, names: tuple[str, ...]) -> list[tuple[int, list[str]]]:
    rows = []
    for number, line in iterate(chunk, headed=True):
        fields = decode(chunk, number, line).split("\t")
        expect_fields(chunk, number, fields, names)
        rows.append((number, fields))
    return rows


def _first(values: dict[str, str], names: tuple[str, ...]) -> str:
    """Return the field of the first of `names` that the file has; empty without any."""
    return next((values[name] for name in names if name in values), "")
