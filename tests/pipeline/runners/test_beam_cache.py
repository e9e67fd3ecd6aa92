"""Weighing side inputs without a walk over all modules."""

import sys
import types

import pytest
from apache_beam.runners.worker import statecache

from pipeline.runners.beam_cache import quickly_weighed


class Watched(types.ModuleType):
    """A module that notes when its globals are listed."""

    looked_at = 0

    @property
    def __dict__(self):
        type(self).looked_at += 1
        return {}


def test_no_modules_globals_are_looked_at(monkeypatch):
    monkeypatch.setitem(sys.modules, "watched_by_this_test", Watched("watched_by_this_test"))
    values = [b"some", {"side": [1.0, 2.0]}, "input"]
    weight = statecache.get_deep_size(values)
    before = Watched.looked_at
    assert before > 0
    with quickly_weighed():
        assert statecache.get_deep_size(values) == weight
    assert Watched.looked_at == before


def test_the_settings_are_as_before_after_a_failure():
    settings = statecache.objsize.default_settings

    def fail():
        with quickly_weighed():
            assert not settings.exclude_modules_globals
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert settings.exclude_modules_globals
