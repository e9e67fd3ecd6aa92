"""Finds the first bad line of interactions and words the sentence."""

from __future__ import annotations

import csv
import math
import re

import numpy as np

from components.formats.reading import timestamps
from components.formats.reading.canonical import IDS, LONGEST_ID
from components.formats.reading.chunk import Chunk
from components.formats.reading.layout import EXACT, Layout, split_fields
from components.formats.reading.lines import decode, expect_fields, iterate, shown
from schema import features

# Numbers as Arrow 10 reads them.
_NUMBER = re.compile(r"[ \t]*-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t]*", re.ASCII)
# The largest int64 has 19 digits; Python refuses to read thousands of them.
_INTEGER = re.compile(r"[ \t]*-?0*\d{1,19}[ \t]*", re.ASCII)


def blame(chunk: Chunk, layout: Layout) -> int:
    """Raise for the first bad line.

    Args:
      chunk: the lines.
      layout: what they should look like.

    Returns:
      The number of lines, when all are good.

    Raises:
      UserError: with file, line and what is wrong there.
    """
    roles = {role: layout.columns.index(column) for role, column in layout.roles.items()}
    count = 0
    for line, raw in iterate(chunk, layout.headed):
        count += 1
        text = decode(chunk, line, raw)
        _check_one_row(chunk, line, layout, text)
        fields = split_fields(text, layout.delimiter, layout.quoted)
        expect_fields(chunk, line, fields, layout.columns)
        for role, index in roles.items():
            _check(chunk, line, layout, role, fields[index])
    return count


def _check_one_row(chunk: Chunk, line: int, layout: Layout, text: str) -> None:
    if "\r" in text:
        chunk.fail(line, "a carriage return within the line, expected one row a line")
    if layout.quoted and '"' in text:
        try:
            next(csv.reader([text], delimiter=layout.delimiter, strict=True))
        except csv.Error as error:
            if "unexpected end" in str(error):
                chunk.fail(line, "a quote is not closed, expected one row a line")


def _check(chunk: Chunk, line: int, layout: Layout, role: str, value: str) -> None:
    name = layout.roles[role]
    if role in IDS:
        value = value.strip() if layout.own else value
        if not value:
            chunk.fail(line, f"{name} is empty, expected an id")
        if layout.own and len(value.encode()) > LONGEST_ID:
            chunk.fail(line, f"{name} is {shown(value)}, expected at most {LONGEST_ID} bytes")
    elif role == features.TIMESTAMP and layout.own:
        if timestamps.of_text(value) is None:
            chunk.fail(line, f"{name} is {shown(value)}, {timestamps.EXPECTED}")
    elif role == features.TIMESTAMP and not layout.float_timestamps:
        if not _INTEGER.fullmatch(value) or not -(2**63) <= int(value) < 2**63:
            chunk.fail(line, f"{name} is {shown(value)}, expected whole seconds")
    else:
        limit = EXACT if role == features.TIMESTAMP else float(np.finfo(np.float32).max)
        number = float(value) if _NUMBER.fullmatch(value) else math.nan
        # Also false for nan.
        if not abs(number) <= limit:
            chunk.fail(line, f"{name} is {shown(value)}, expected a finite number")
