"""Inputs that nobody meant to write: arbitrary bytes, valid files with damage, and what may follow.

Hypothesis draws them; `make fuzz` draws many more (CONTRIBUTING.md).
"""

import datetime
import re

import hypothesis
from hypothesis import strategies as st

from schema.errors import UserError

# Longer than any example takes on a slow machine: what takes longer hangs.
_DEADLINE = datetime.timedelta(seconds=20)
# In place of, before and between the fields of a text.
TOKENS = (
    *(b"", b" ", b"\t", b"\n", b"\r", b"\r\n", b"\n\n", b",", b";", b"|", b":", b"::", b"\0"),
    *(b'"', b'""', b'"a"', b'"a\nb"', b'"a,b"', b"'", b"\\", b"\\N", b"#", b"(", b"(1,2)", b"()"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xc2\x85", b"\x1c"),
    *(b"\x1b[31m", b"\xed\xa0\x80", b"\xd9\xa3", b"\xef\xbc\x91", b"\xc2\xa0", b"\xcc\x81"),
    *(
        b"0",
        b"-0",
        b"+1",
        b"1_0",
        b"1.",
        b".5",
        b"1e3",
        b"1e99",
        b"1e-400",
        b"0x10",
        b"00000000001",
    ),
    *(
        b"nan",
        b"NaN",
        b"inf",
        b"-Infinity",
        b"null",
        b"NULL",
        b"None",
        b"NA",
        b"true",
        b"1e",
        b"--1",
    ),
    *(b"9007199254740993", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808"),
    *(
        b"2024-05-31",
        b"2024-13-01",
        b"0000-00-00",
        b"2024-05-31T18:30:00+99:00",
        b"9999-12-31T23:59",
    ),
    *(b"2024-05-31 18:30", b"24:00", b"9" * 30, b"9" * 5000, b"x" * 5000),
)
_SEPARATORS = re.compile(rb"([,;|\t\r\n ]+|::?)")


def register_profiles():
    """Names the two ways to draw: the same few inputs each time, or new ones for long."""
    hypothesis.settings.register_profile(
        "tests", derandomize=True, database=None, print_blob=True, deadline=_DEADLINE
    )
    hypothesis.settings.register_profile(
        "fuzz",
        max_examples=2000,
        database=None,
        print_blob=True,
        deadline=_DEADLINE,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )


@st.composite
def damaged(draw, valid, tokens=TOKENS):
    """Draws a valid file's bytes with a few fields or bytes replaced, doubled, moved or cut off."""
    data = valid
    for _ in range(draw(st.integers(1, 4))):
        token = draw(st.sampled_from(tokens) | st.binary(max_size=4))
        if draw(st.booleans()):
            parts = _SEPARATORS.split(data)
            at = draw(st.integers(0, len(parts) - 1))
            parts[at] = draw(st.sampled_from([token, parts[at] + token, token + parts[at]]))
            data = b"".join(parts)
        else:
            start, end = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
            middle = draw(st.sampled_from([token, b"", data[start:end] * 2, data[end:]]))
            data = data[:start] + middle + data[end:]
    return data


def files(valid, tokens=TOKENS):
    """Contents of a file: any bytes, or what `damaged` makes of valid ones."""
    return st.binary(max_size=300) | damaged(valid, tokens)


def refused(call, longest=2000):
    """Calls; (the result, None), or (None, the one sentence that refuses the input)."""
    try:
        return call(), None
    except UserError as error:
        sentence = str(error)
        assert sentence.isprintable(), ascii(sentence)
        assert sentence.endswith((".", "?")), sentence
        assert len(sentence) <= longest, len(sentence)
        return None, sentence
