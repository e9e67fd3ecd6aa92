"""What vocabularies hold, in which order."""

import numpy as np
import pytest

from transform.vocabularies import NOTHING, CountFn, entries


def test_entries_go_by_weight_and_then_by_their_bytes_from_the_last():
    weights = {b"a": 2, b"c": 2, b"b": 5.0, b"\xff": 2, b"B": 2}
    assert entries(weights, 1) == [b"b", b"\xff", b"c", b"a", b"B"]


@pytest.mark.parametrize(
    ("weights", "min_weight", "expected"),
    [
        ({b"a": 3, b"b": 2, b"c": 1}, 2, [b"a", b"b"]),
        ({b"a": 1.5}, 2, [NOTHING]),
        ({}, 1, [NOTHING]),
        ({b"": 9, b"a\nb": 8, b"a\rb": 7, b"a b": 1}, 1, [b"a b"]),
    ],
)
def test_what_is_rare_empty_or_longer_than_a_line_has_no_entry(weights, min_weight, expected):
    assert entries(weights, min_weight) == expected


def test_batches_add_up_however_they_are_parted():
    ones = np.zeros(0, np.float32)
    batches = [
        (np.asarray([b"x", b"y", b"x"], object), ones, np.asarray([b"u"], object), _floats(3)),
        (np.asarray([b"x"], object), ones, np.asarray([b"v", b"u"], object), _floats(1, 4)),
        (np.asarray([], object), ones, np.asarray([b"w"], object), _floats(0)),
    ]
    count = CountFn(2)
    parts = []
    for some in (batches[:2], batches[2:]):
        accumulator = count.create_accumulator()
        for batch in some:
            accumulator = count.add_input(accumulator, batch)
        parts.append(accumulator)
    items, users = count.extract_output(count.merge_accumulators(parts))
    assert items == {b"x": 3, b"y": 1}
    assert users == {b"u": 7, b"v": 1, b"w": 0}


def _floats(*values):
    return np.asarray(values, np.float32)
