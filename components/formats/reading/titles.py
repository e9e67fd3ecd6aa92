"""Titles, years and genres as MovieLens writes them."""

from __future__ import annotations

import re

NO_GENRES = "(no genres listed)"

# "(1995)", "(2006-2007)" with any dash, "(2009- )", then perhaps the "(V)" or "(TV)"
# that IMDb gave films not made for cinemas; "(1983))" occurs in ML-20M.
_YEAR = re.compile(
    r"(?P<title>.*\S)\s*"
    r"\((?P<year>\d{4})(?:\s*[-\u2013\u2014/]\s*(?:\d{4})?)?\s*\)+"
    r"(?:\s*\((?:V|TV|VG)\))?"
)
# The first film is of 1874; four digits outside this range are no year.
_FIRST_YEAR, _LAST_YEAR = 1870, 2100


def split_title(text: str) -> tuple[str | None, int | None]:
    """Take the year off a title's end.

    The year is the last parenthesis of four digits between 1870 and 2100 that
    ends the title, disregarding blanks and a following "(V)", "(TV)" or "(VG)",
    which go too. Of a span, "(2006-2007)" or "(2009- )", it is the first year.
    A title that is nothing but a year in parentheses stays whole.

    Args:
      text: such as "Toy Story (1995)".

    Returns:
      Title (None when empty) and year (None when there is none).
    """
    text = text.strip()
    match = _YEAR.fullmatch(text)
    if match and _FIRST_YEAR <= int(match["year"]) <= _LAST_YEAR:
        return match["title"], int(match["year"])
    return text or None, None


def split_genres(text: str, delimiter: str = "|") -> list[str]:
    """Split the genres of a field such as "Action|Sci-Fi".

    Args:
      text: the field.
      delimiter: what stands between genres.

    Returns:
      Genres in the file's order; none for "(no genres listed)", for "unknown"
      and for an empty field.
    """
    genres = text.replace(NO_GENRES, "").split(delimiter)
    return [genre.strip() for genre in genres if genre.strip() not in ("", "unknown")]
