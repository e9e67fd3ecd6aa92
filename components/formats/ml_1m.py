"""MovieLens 1M and 10M: .dat files with `::` between fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa

from components.formats import base
from components.formats.reading import schemas
from components.formats.reading.chunk import Chunk
from components.formats.reading.delimited import read_interactions
from components.formats.reading.layout import Layout
from components.formats.reading.lines import decode, expect_fields, iterate, whole_number
from components.formats.reading.titles import split_genres, split_title
from schema import features

# Codes 0 to 20 of users.dat, as the README of ML-1M names them.
OCCUPATIONS = (
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
)
_COLUMNS = ("UserID", "MovieID", "Rating", "Timestamp")
_LAYOUT = Layout(
    delimiter="::",
    columns=_COLUMNS,
    roles=dict(zip(schemas.INTERACTIONS_SCHEMA.names, _COLUMNS, strict=True)),
)
_USER_FIELDS = ("UserID", "Gender", "Age", "Occupation", "Zip-code")
_ITEM_FIELDS = ("MovieID", "Title", "Genres")


class Ml1m(base.Format):
    """Read the layout of ml-1m.zip (ISO-8859-1) and ml-10m.zip (UTF-8, no users.dat).

    Ages stay the codes of the README: 1 for "under 18", else the group's lower
    bound (18, 25, 35, 45, 50, 56). Occupation codes become their names.
    """

    name = "ml-1m"
    files: ClassVar[Mapping[str, str]] = {
        base.INTERACTIONS: "ratings.dat",
        base.USERS: "users.dat",
        base.ITEMS: "movies.dat",
    }

    def parse_interactions(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format."""
        return read_interactions(chunk, _LAYOUT)

    def parse_users(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format."""
        rows = []
        for number, line in iterate(chunk, headed=False):
            fields = decode(chunk, number, line, legacy=True).split("::")
            expect_fields(chunk, number, fields, _USER_FIELDS)
            user, gender, age, occupation, zip_code = (field.strip() for field in fields)
            if not user:
                chunk.fail(number, "UserID is empty, expected an id")
            code = whole_number(chunk, number, "Occupation", occupation)
            if code is not None and code >= len(OCCUPATIONS):
                chunk.fail(number, f"Occupation is {code}, expected 0 to {len(OCCUPATIONS) - 1}")
            rows.append(
                {
                    features.USER_ID: user,
                    features.GENDER: gender or None,
                    features.AGE: whole_number(chunk, number, "Age", age),
                    features.OCCUPATION: None if code is None else OCCUPATIONS[code],
                    features.ZIP_CODE: zip_code or None,
                }
            )
        return pa.Table.from_pylist(rows, schemas.USERS_SCHEMA)

    def parse_items(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format."""
        rows = []
        for number, line in iterate(chunk, headed=False):
            fields = decode(chunk, number, line, legacy=True).split("::")
            expect_fields(chunk, number, fields, _ITEM_FIELDS)
            item = fields[0].strip()
            if not item:
                chunk.fail(number, "MovieID is empty, expected an id")
            title, year = split_title(fields[1])
            rows.append(
                {
                    features.ITEM_ID: item,
                    features.TITLE: title,
                    features.GENRES: split_genres(fields[2]),
                    features.YEAR: year,
                }
            )
        return pa.Table.from_pylist(rows, schemas.ITEMS_SCHEMA)
