"""Text from elsewhere is shown, never obeyed."""

import pytest

from pipeline.cli import exits
from schema.errors import UserError
from schema.plain_text import printable
from schema.progress import tell


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Amélie (2001) - 東京 🎬 [x]", "Amélie (2001) - 東京 🎬 [x]"),
        # What joins the parts of an emoji, or of a word in Persian, does nothing else.
        ("👨\u200d👩 \u0645\u06cc\u200c\u062e", "👨\u200d👩 \u0645\u06cc\u200c\u062e"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("a\tb\r\nc\x7f\x00", r"a\tb\r\nc\x7f\x00"),
        ("\x9b31m\x85", r"\x9b31m\x85"),
        ("\u202egpj.exe\u2069\u2028", r"\u202egpj.exe\u2069\u2028"),
        ("\udcff", r"\udcff"),
        ("back\\slash 'quoted' \"twice\"", "back\\slash 'quoted' \"twice\""),
    ],
)
def test_only_what_a_terminal_would_obey_is_escaped(text, shown):
    assert printable(text) == shown


def test_a_message_that_quotes_data_is_one_printed_line(capsys):
    def fail():
        raise UserError("u.item, line 1: found \x1b]0;owned\x07, \x9b2J\nerror: none.")

    assert exits.exit_code(fail) == exits.BAD_INPUT
    tell("searching \x1b[2J")
    assert capsys.readouterr().err == (
        "error: u.item, line 1: found \\x1b]0;owned\\x07, \\x9b2J\\nerror: none.\n"
        "  searching \\x1b[2J\n"
    )
