"""Which rows of a batch each slice has; no TensorFlow import."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

# As TFMA has it: feature and value of each part, in the order of the features.
SliceKey = tuple[tuple[str, str | int], ...]


def slice_rows(
    columns: Mapping[str, np.ndarray], slicings: Sequence[Sequence[str]], count: int
) -> Iterator[tuple[SliceKey, np.ndarray]]:
    """Find the rows of each slice of a batch.

    Args:
      columns: bytes objects or int64 [B, V] by feature, a row's values in any number of
        repetitions; an empty text or a negative number stands for none.
      slicings: features of each; none is the slice of all rows.
      count: number B of rows.

    Yields:
      A slice's key and the positions of its rows, ascending; slices without rows
      are left out.
    """
    named = sorted({name for features in slicings for name in features})
    members = {name: _members(columns[name], count) for name in named}
    for features in slicings:
        names = sorted(features)
        for parts in itertools.product(*(members[name].items() for name in names)):
            within = np.ones(count, bool)
            for _, rows in parts:
                within = within & rows
            (positions,) = np.nonzero(within)
            if len(positions):
                values = (value for value, _ in parts)
                yield tuple(zip(names, values, strict=True)), positions


def _members(values: np.ndarray, count: int) -> dict[str | int, np.ndarray]:
    """Tell which rows have each value: bool [B]."""
    texts = values.dtype.kind == "O"
    # Objects are compared one by one in Python.
    flat = values.ravel().astype("S") if texts else values.ravel()
    found, which = np.unique(flat, return_inverse=True)
    has = np.zeros((len(found), count), bool)
    has[which, np.repeat(np.arange(count), values.shape[1])] = True
    if texts:
        return {v.decode(): rows for v, rows in zip(found.tolist(), has, strict=True) if v}
    return {v: rows for v, rows in zip(found.tolist(), has, strict=True) if v >= 0}
