"""Which column of a table of one's own holds what: by its name, or as it is declared."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from components.columns import ColumnsConfig
from components.formats.reading.headers import describe_columns
from schema import features
from schema.errors import UserError

# Names that are found, in small letters and without blanks, dashes and underscores.
_USER = ("user", "customer", "visitor", "member")
_ITEM = ("item", "movie", "film", "product", "article", "book", "song", "track")
KNOWN: dict[str, tuple[str, ...]] = {
    features.USER_ID: (*_USER, *(f"{name}id" for name in _USER), "uid"),
    features.ITEM_ID: (*_ITEM, *(f"{name}id" for name in _ITEM), "iid", "sku"),
    features.RATING: ("rating", "stars", "score"),
    features.TIMESTAMP: ("timestamp", "time", "date", "datetime", "ts"),
}
_OF_ITEMS = {features.TITLE: ("title", "name"), features.GENRES: ("genres", "genre")}
# Canonical name -> the setting that names its column, and what it stands for in a sentence.
SETTINGS = {
    features.USER_ID: "user",
    features.ITEM_ID: "item",
    features.RATING: "rating",
    features.TIMESTAMP: "timestamp",
}
_REQUIRED = (features.USER_ID, features.ITEM_ID)


def resolve(where: str, names: Sequence[str], columns: ColumnsConfig) -> dict[str, str]:
    """Find the column of each role.

    Args:
      where: the file, and its line where it has lines, for messages.
      names: the file's columns.
      columns: what is declared.

    Returns:
      Canonical name -> column; rating and timestamp are left out where there is none.

    Raises:
      UserError: a declared column that is not there, no column for the user or the
        item, or several that could be the same.
    """
    declared = {role: getattr(columns, key) for role, key in SETTINGS.items()}
    found = {}
    for role, name in declared.items():
        if name:
            _require(where, names, name, SETTINGS[role])
            found[role] = name
    free = [name for name in names if name not in found.values()]
    for role, name in declared.items():
        if name is None and (column := _detect(where, free, role)):
            found[role] = column
    for role in _REQUIRED:
        if role not in found:
            raise UserError(
                f"{where}: no column for the {SETTINGS[role]}, found {describe_columns(names)}; "
                f"name it with {_key(role)}."
            )
    return {role: found[role] for role in SETTINGS if role in found}


def resolve_items(where: str, names: Sequence[str]) -> dict[str, str]:
    """Find the columns of an items file, whose names cannot be declared.

    Args:
      where: see `resolve`.
      names: the file's columns.

    Returns:
      Canonical name -> column of item id and, where there are any, title and genres.

    Raises:
      UserError: no column for the item, or several for something.
    """
    found = {}
    for role in (features.ITEM_ID, *_OF_ITEMS):
        fitting = detected(names, role)
        if len(fitting) > 1 or (not fitting and role == features.ITEM_ID):
            raise UserError(
                f"{where}: expected one column like {(KNOWN | _OF_ITEMS)[role][0]}, found "
                f"{describe_columns(names)}."
            )
        if fitting:
            found[role] = fitting[0]
    return found


def describe(found: Mapping[str, str]) -> str:
    """Say what was found, in a line for the console.

    Args:
      found: what `resolve` returned.

    Returns:
      Such as "user=customer, item=sku, no rating (every row is an interaction)".
    """
    parts = [f"{SETTINGS[role]}={column}" for role, column in found.items()]
    if features.RATING not in found:
        parts.append("no rating (every row is an interaction)")
    if features.TIMESTAMP not in found:
        parts.append("no timestamp (the order of the rows is the order in time)")
    return ", ".join(parts)


def detected(names: Sequence[str], role: str) -> list[str]:
    """List the columns whose names say that they hold something.

    Args:
      names: a file's columns.
      role: a canonical name, a key of KNOWN.

    Returns:
      Those columns, in their order.
    """
    known = KNOWN.get(role) or _OF_ITEMS[role]
    return [name for name in names if re.sub(r"[\s_-]", "", name).lower() in known]


def _detect(where: str, names: Sequence[str], role: str) -> str | None:
    fitting = detected(names, role)
    if len(set(fitting)) > 1:
        shown = " and ".join(f"'{name}'" for name in dict.fromkeys(fitting))
        raise UserError(
            f"{where}: {shown} could each be the {SETTINGS[role]}; name one with {_key(role)}."
        )
    if len(fitting) > 1:
        raise UserError(f"{where}: more than one column '{fitting[0]}', expected one.")
    return fitting[0] if fitting else None


def _require(where: str, names: Sequence[str], name: str, key: str) -> None:
    if names.count(name) == 1:
        return
    state = "no column" if name not in names else "more than one column"
    close = difflib.get_close_matches(name, names, n=1) if name not in names else []
    hint = f"; did you mean '{close[0]}'?" if close else "."
    raise UserError(
        f"{where}: {state} '{name}' (data.columns.{key}), found {describe_columns(names)}{hint}"
    )


def _key(role: str) -> str:
    return f"data.columns.{SETTINGS[role]}"
