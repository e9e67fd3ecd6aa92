"""What a UserError says stays on one line and steers no terminal."""

import pytest

from schema.errors import SettingError, UserError


@pytest.mark.parametrize("kind", [UserError, SettingError])
def test_what_cannot_be_printed_is_escaped(kind):
    given = "a\nb\r\x1b[31m\t\x85\u2028\udc80 é 日本"
    assert str(kind(given)) == "a\\nb\\r\\x1b[31m\\t\\x85\\u2028\\udc80 é 日本"
