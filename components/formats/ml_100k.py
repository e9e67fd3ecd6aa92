"""MovieLens 100K: tab-separated u.data, u.user and u.item with `|` between fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa

from components.formats import base
from components.formats.reading import schemas
from components.formats.reading.chunk import Chunk
from components.formats.reading.delimited import read_interactions
from components.formats.reading.layout import Layout
from components.formats.reading.lines import decode, expect_fields, iterate, shown, whole_number
from components.formats.reading.titles import split_title
from schema import features

# The flags' order in u.item, as u.genre gives it.
GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
_COLUMNS = ("user id", "item id", "rating", "timestamp")
_LAYOUT = Layout(
    delimiter="\t",
    columns=_COLUMNS,
    roles=dict(zip(schemas.INTERACTIONS_SCHEMA.names, _COLUMNS, strict=True)),
)
_USER_FIELDS = ("user id", "age", "gender", "occupation", "zip code")
_ITEM_FIELDS = (
    "movie id",
    "movie title",
    "release date",
    "video release date",
    "IMDb URL",
    *GENRES,
)


class Ml100k(base.Format):
    """Read the layout of ml-100k.zip, in ISO-8859-1."""

    name = "ml-100k"
    files: ClassVar[Mapping[str, str]] = {
        base.INTERACTIONS: "u.data",
        base.USERS: "u.user",
        base.ITEMS: "u.item",
    }

    def parse_interactions(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format."""
        return read_interactions(chunk, _LAYOUT)

    def parse_users(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format."""
        rows = []
        for number, line in iterate(chunk, headed=False):
            fields = decode(chunk, number, line, legacy=True).split("|")
            expect_fields(chunk, number, fields, _USER_FIELDS)
            user, age, gender, occupation, zip_code = (field.strip() for field in fields)
            if not user:
                chunk.fail(number, "user id is empty, expected an id")
            rows.append(
                {
                    features.USER_ID: user,
                    features.GENDER: gender or None,
                    features.AGE: whole_number(chunk, number, "age", age),
                    features.OCCUPATION: occupation or None,
                    features.ZIP_CODE: zip_code or None,
                }
            )
        return pa.Table.from_pylist(rows, schemas.USERS_SCHEMA)

    def parse_items(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format; where the title has no year, the release date's counts.

        Item 267 has the title "unknown" and nothing else: its title is null.
        """
        rows = []
        for number, line in iterate(chunk, headed=False):
            fields = decode(chunk, number, line, legacy=True).split("|")
            expect_fields(chunk, number, fields, _ITEM_FIELDS)
            item, date, flags = fields[0].strip(), fields[2].strip(), fields[5:]
            if not item:
                chunk.fail(number, "movie id is empty, expected an id")
            for genre, flag in zip(GENRES, flags, strict=True):
                if flag.strip() not in ("0", "1"):
                    chunk.fail(number, f"genre flag {genre} is {shown(flag)}, expected 0 or 1")
            title, year = split_title(fields[1])
            if year is None and date[-4:].isdecimal():
                year = int(date[-4:])
            rows.append(
                {
                    features.ITEM_ID: item,
                    features.TITLE: None if title == "unknown" else title,
                    features.GENRES: [
                        genre
                        for genre, flag in zip(GENRES, flags, strict=True)
                        if flag.strip() == "1" and genre != "unknown"
                    ],
                    features.YEAR: year,
                }
            )
        return pa.Table.from_pylist(rows, schemas.ITEMS_SCHEMA)
