"""Reads the rows of a held-out split."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import tensorflow as tf

_BATCH = 4096


def batches(files: Iterable[str], size: int = _BATCH) -> Iterator[list[bytes]]:
    """Read serialized rows, some at a time.

    Args:
      files: TFRecord files, compressed where they end in .gz.
      size: the most rows of a batch.

    Yields:
      The rows of one batch, all of one file.
    """
    for file in files:
        compression = "GZIP" if os.path.splitext(file)[1] == ".gz" else ""
        records = tf.data.TFRecordDataset(file, compression_type=compression)
        for batch in records.batch(size).prefetch(1).as_numpy_iterator():
            yield batch.tolist()
