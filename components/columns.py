"""Settings of a table of one's own: which file it is, and which column holds what."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from schema.settings import Settings, check


class ColumnsConfig(Settings):
    """Name the columns of a table of one's own; null finds a column by its name.

    docs/own-data.md has the names that are found.
    """

    user: str | None = None
    """Column of the user's id."""
    item: str | None = None
    """Column of the item's id."""
    rating: str | Literal[False] | None = None
    """Column of the rating; false says that there is none: every row is an interaction."""
    timestamp: str | Literal[False] | None = None
    """Column of the time; false says that there is none: the rows are in order."""

    @model_validator(mode="after")
    def _check(self) -> ColumnsConfig:
        taken: dict[str, str] = {}
        for key, name in dict(self).items():
            check(name != "", f"{key}: expected a name, got ''.")
            if name:
                other = taken.setdefault(name, key)
                check(other == key, f"{key}: expected another column than {other}'s, got {name!r}.")
        return self


class TableConfig(Settings):
    """Say what the layout `table` reads; other layouts take the defaults only."""

    file: str | None = None
    """Name of the one file that is the table; null takes all of a folder's."""
    columns: ColumnsConfig = ColumnsConfig()
    """What its columns are called."""
