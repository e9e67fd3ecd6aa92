"""Both readings of a timestamp, of columns and of single texts, by hand and against each other."""

import datetime
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.formats.reading import timestamps

# 2024-05-31T18:30:00Z
EVENING = 1717180200
MIDNIGHT = EVENING - 18 * 3600 - 1800
READ = {
    "1717180200": EVENING,
    " 1717180200\t": EVENING,
    "1717180200.999": EVENING,
    "1.7171802e9": EVENING,
    "1717180200999": EVENING,
    "1717180200999999": EVENING,
    "1717180200999999488": EVENING,
    "0": 0,
    "-1": -1,
    "-0.5": -1,
    "99999999999": 99_999_999_999,
    "100000000000": 100_000_000,
    "2024-05-31": MIDNIGHT,
    "2024-05-31T18:30": EVENING,
    "2024-05-31 18:30:00": EVENING,
    "2024-05-31T18:30:00.999": EVENING,
    "2024-05-31T18:30:00Z": EVENING,
    "2024-05-31 18:30:00 UTC": EVENING,
    "2024-05-31T20:30:00+02:00": EVENING,
    "2024-05-31T20:30:00+02": EVENING,
    "2024-05-31T13:00:00.5-0530": EVENING,
    "1969-12-31T23:59:59Z": -1,
    "2024-02-29": MIDNIGHT - 92 * 86400,
}
UNREAD = [
    *("", " ", "noon", "nan", "inf", "-", "1_0", "0x10", "9" * 5000, "-" + "9" * 400, "1e30"),
    *("31.05.2024", "05/31/2024", "2024-5-31", "2024-02-30", "2024-13-01", "20240531T1830"),
    *("2024-05-31T24:30", "2024-05-31T18:60", "2024-05-31T18:30:61", "2024-05-31T18:30:00+25:00"),
    *(
        "2024-05-31Z",
        "2024-05-31T18:30:00 CET",
        "2024-05-31T18",
        "٢٠٢٤-05-31",
        "0000-05-05",
        "5\n",
        "2024-05-31\n",
    ),
]


def test_each_way_of_writing_is_read_as_documented():
    texts = list(READ)
    assert timestamps.from_text(pa.array(texts)).to_pylist() == list(READ.values())
    assert [timestamps.of_text(text) for text in texts] == list(READ.values())


@pytest.mark.parametrize("text", UNREAD)
def test_what_is_no_point_in_time_is_not_guessed(text):
    assert timestamps.of_text(text) is None
    assert timestamps.from_text(pa.array(["2024-05-31", text, "5"])) is None


@pytest.mark.fuzz
@given(
    st.lists(
        st.sampled_from([*READ, *(text for text in UNREAD if len(text) < 40)])
        | st.sampled_from([*"0123456789-+:.,TZz eE\n\t", "2024", "-05", "1e400", "24:00", "0000"]),
        min_size=1,
        max_size=8,
    ).map("".join)
)
def test_a_text_alone_is_read_as_in_a_column(text):
    column = timestamps.from_text(pa.array([text, "5"]))
    alone = timestamps.of_text(text)
    assert (None if column is None else column.to_pylist()) == (
        None if alone is None else [alone, 5]
    )


def test_random_moments_of_all_zones_agree_with_datetime():
    draw = random.Random(0)
    moments = [
        datetime.datetime.fromtimestamp(
            draw.randrange(-(10**10), 10**10),
            datetime.timezone(datetime.timedelta(minutes=draw.randrange(-1439, 1440))),
        )
        for _ in range(500)
    ]
    expected = [int(moment.timestamp()) for moment in moments]
    texts = [moment.isoformat(sep=draw.choice(" T")) for moment in moments]
    assert timestamps.from_text(pa.array(texts)).to_pylist() == expected
    assert [timestamps.of_text(text) for text in texts] == expected


def test_integers_that_all_are_seconds_are_taken_as_they_are():
    numbers = np.array([1, -5, 10**11 - 1])
    assert timestamps.from_numbers(numbers) is numbers
    mixed = np.array([1, -(10**11) - 1, np.iinfo(np.int64).max, np.iinfo(np.int64).min])
    assert timestamps.from_numbers(mixed).tolist() == [1, -100000001, 9223372036, -9223372037]


def test_no_rows_are_no_moments():
    assert timestamps.from_text(pa.array([], pa.string())).to_pylist() == []
