"""Points in time as people write them, to whole seconds since 1970.

A number counts seconds, or, where it is too large for that, thousandths,
millionths or billionths of a second: 10^11 seconds are the year 5138, 10^11
milliseconds are March 1973. Text is an ISO 8601 date or date and time; without
a zone it is UTC.
"""

from __future__ import annotations

import datetime
import math
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

EXPECTED = "expected seconds since 1970 or an ISO date such as 2024-05-31 or 2024-05-31T18:30:00Z"

# From which size on a number counts parts of a second, and how many there are.
_PARTS = ((10**11, 10**3), (10**14, 10**6), (10**17, 10**9))
# No int64 from here on.
MOST = 2.0**63
# Also RE2's dialect, in which Arrow reads it.
_NUMBER = r"^[ \t]*-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[ \t]*$"
_ISO = (
    r"^[ \t]*(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:[.,]\d+)?"
    r"(?: ?(?P<zone>Z|z|UTC|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?))?)?[ \t]*$"
)
_NUMBER_HERE, _ISO_HERE = re.compile(_NUMBER, re.ASCII), re.compile(_ISO, re.ASCII)


def from_numbers(numbers: np.ndarray) -> np.ndarray:
    """Turn numbers into whole seconds, rounded down.

    Args:
      numbers: int64 or finite float64 [N], each in its own unit.

    Returns:
      int64 [N].
    """
    scale = np.ones(len(numbers), np.int64)
    for least, parts in _PARTS:
        scale[(numbers >= least) | (numbers <= -least)] = parts
    if (scale == 1).all() and numbers.dtype == np.int64:
        return numbers
    return np.floor_divide(numbers, scale).astype(np.int64)


def from_text(texts: pa.Array) -> pa.Array | None:
    """Turn texts into whole seconds, rounded down.

    Args:
      texts: string [N] without nulls.

    Returns:
      int64 [N]; None where `of_text` reads one of them as None.
    """
    is_number = pc.match_substring_regex(texts, _NUMBER)
    seconds = np.zeros(len(texts), np.int64)
    numeric = is_number.to_numpy(zero_copy_only=False)
    if numeric.any():
        trimmed = pc.utf8_trim(texts.filter(is_number), " \t")
        numbers = pc.cast(trimmed, pa.float64()).to_numpy(zero_copy_only=False)
        if not (np.abs(numbers) < MOST).all():
            return None
        seconds[numeric] = from_numbers(numbers)
    if not numeric.all():
        dated = _from_iso(texts.filter(pc.invert(is_number)))
        if dated is None:
            return None
        seconds[~numeric] = dated
    return pa.array(seconds)


def of_text(text: str) -> int | None:
    """Turn one text into whole seconds, as `from_text` does.

    Args:
      text: a number or an ISO date.

    Returns:
      Seconds since 1970; None where it is neither.
    """
    if _NUMBER_HERE.fullmatch(text):
        number = float(text)
        return int(from_numbers(np.array([number]))[0]) if abs(number) < MOST else None
    match = _ISO_HERE.fullmatch(text)
    if match is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}")
    except ValueError:
        return None
    seconds = moment.replace(tzinfo=datetime.timezone.utc).timestamp()
    return math.floor(seconds) - _offset(match["zone"] or "")


def _from_iso(texts: pa.Array) -> np.ndarray | None:
    parts = pc.extract_regex(texts, _ISO)
    if parts.null_count:
        return None
    dates, times, zones = (parts.field(name) for name in ("date", "time", "zone"))
    # Of which Arrow has a notion, and Python none.
    if pc.any(pc.starts_with(dates, "0000")).as_py():
        return None
    times = pc.if_else(pc.equal(times, ""), "00:00", times)
    try:
        moments = pc.cast(pc.binary_join_element_wise(dates, times, "T"), pa.timestamp("s"))
    except pa.ArrowInvalid:
        return None
    known = zones.dictionary_encode()
    offsets = np.array([_offset(zone) for zone in known.dictionary.to_pylist()], np.int64)
    seconds: np.ndarray = moments.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return seconds - offsets[known.indices.to_numpy(zero_copy_only=False)]


def _offset(zone: str) -> int:
    """Return by how many seconds a zone's clocks are ahead of UTC."""
    if zone in ("", "Z", "z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
    return -seconds if zone[0] == "-" else seconds
