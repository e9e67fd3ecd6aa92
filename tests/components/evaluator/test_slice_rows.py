"""Which rows of a batch each slice has."""

import numpy as np

from components.evaluator.slice_rows import slice_rows

COLUMNS = {
    "gender": np.asarray([[b"F"], [b"M"], [b""], [b"F"]], object),
    "genre": np.asarray(
        [[b"War", b"Drama"], [b"War", b"War"], [b"War", b""], [b"\xc3\xa9", b"War"]], object
    ),
    "age": np.asarray([[18], [-1], [18], [0]]),
}


def found(*slicings):
    return {key: rows.tolist() for key, rows in slice_rows(COLUMNS, slicings, 4)}


def test_no_features_are_all_rows():
    assert found(()) == {(): [0, 1, 2, 3]}


def test_a_row_is_once_in_the_slice_of_each_of_its_values():
    assert found(("genre",)) == {
        (("genre", "War"),): [0, 1, 2, 3],
        (("genre", "Drama"),): [0],
        (("genre", "\u00e9"),): [3],
    }


def test_nothing_is_no_slice_and_numbers_stay_numbers():
    assert found(("gender",), ("age",)) == {
        (("gender", "F"),): [0, 3],
        (("gender", "M"),): [1],
        (("age", 18),): [0, 2],
        (("age", 0),): [3],
    }


def test_a_cross_has_the_rows_of_both_in_the_order_of_the_features():
    assert found(("genre", "gender")) == {
        (("gender", "F"), ("genre", "War")): [0, 3],
        (("gender", "F"), ("genre", "Drama")): [0],
        (("gender", "F"), ("genre", "\u00e9")): [3],
        (("gender", "M"), ("genre", "War")): [1],
    }
