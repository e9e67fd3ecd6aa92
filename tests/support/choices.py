"""The names that a setting takes, for comparison with the code behind them."""

import re

import pytest

from schema.errors import UserError
from schema.settings import from_dict


def names_of(kind, key):
    """The names that a settings class takes for a key, as its refusal lists them."""
    with pytest.raises(UserError) as refused:
        from_dict(kind, {key: "?"})
    listed = re.search(r"expected one of (.*), got '\?'", str(refused.value))
    return set(listed[1].split(", "))


def choose(settings, key, name):
    """Makes settings name what only a test has; as read from a file they would refuse it."""
    object.__setattr__(settings, key, name)
    return settings
