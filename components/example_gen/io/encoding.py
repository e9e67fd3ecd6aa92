"""List columns to serialized tf.Examples, alike in every run."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from tfx_bsl.coders import example_coder


def encode(columns: Mapping[str, pa.Array]) -> list[bytes]:
    """Encode rows as tf.train.Example messages.

    tfx_bsl's encoder writes a row's features in the order of a protobuf map,
    which differs between segments. So each column is encoded for itself and a row's
    entries are joined in the order of the names: a map's entries may come in
    any order, the message is the same.

    Args:
      columns: feature name -> list array [rows] of binary, float32 or int64; a
        null list gives a feature without a value.

    Returns:
      One serialized message a row.
    """
    names = sorted(columns)
    by_column = [
        example_coder.RecordBatchToExamplesEncoder().encode(
            pa.RecordBatch.from_arrays([columns[name]], [name])
        )
        for name in names
    ]
    return [_message(b"".join(map(_content, row))) for row in zip(*by_column, strict=True)]


def _content(message: bytes) -> bytes:
    """Cut the tag and length off a serialized Example's only field, number 1."""
    at = 1
    while message[at] & 0x80:
        at += 1
    return message[at + 1 :]


def _message(content: bytes) -> bytes:
    """Put field 1's tag and length (a base-128 varint) before its content."""
    length = len(content)
    prefix = bytearray(b"\x0a")
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + content
