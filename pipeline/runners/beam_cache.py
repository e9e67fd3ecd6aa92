"""Keeps Beam's cache of side inputs from searching every module that is loaded.

The direct runner weighs each side input that it caches. With objsize's defaults that
begins with a walk over all globals of all modules, TensorFlow's thousands among them,
though what Beam weighs are values, and modules, types and functions are left out of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from apache_beam.runners.worker import statecache


@contextlib.contextmanager
def quickly_weighed() -> Iterator[None]:
    """Have values weighed without that walk meanwhile."""
    # Fails where Beam weighs by other means.
    settings = statecache.objsize.default_settings
    before = settings.exclude_modules_globals
    settings.exclude_modules_globals = False
    try:
        yield
    finally:
        settings.exclude_modules_globals = before
