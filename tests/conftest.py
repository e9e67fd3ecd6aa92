"""Settings of the whole test run."""

import gc
import os
import sys
import warnings

import hypothesis
import pytest

from tests.support import autograph, fuzz

# TFRS, TFT and TFMA wrap Keras 2; TensorFlow reads this on its first import.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# Of Hypothesis; `--hypothesis-profile` loads another after this one.
fuzz.register_profiles()
hypothesis.settings.load_profile("tests")
# Its tests are inherited by test modules.
pytest.register_assert_rewrite("tests.support.conformance")
# Marks of tests that take long, longest first; `make quick` leaves them out.
LONG = ("e2e", "slow", "seconds", "fuzz")
# Processor seconds that a test without any of them may take, its fixtures included.
QUICK = 3.0


def _rank(item):
    return next((n for n, name in enumerate(LONG) if item.get_closest_marker(name)), len(LONG))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Where processes share the files, those with the longest tests come first."""
    if not hasattr(config, "workerinput"):
        return
    ranks = {}
    for item in items:
        ranks[item.path] = min(_rank(item), ranks.get(item.path, len(LONG)))
    items.sort(key=lambda item: ranks[item.path])


def pytest_collection_finish():
    """Leaves to the tests what they need of the process that starts them."""
    # TFX's executors take what stands there for flags, so pytest's -v for --verbosity.
    del sys.argv[1:]
    # Full collections would walk through all that is imported by now.
    gc.freeze()
    if "tensorflow" in sys.modules:
        autograph.leave_keras_alone()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Names the tests that keep `make quick` from being quick."""
    before = sum(os.times()[:4])
    result = yield
    spent = sum(os.times()[:4]) - before
    if spent > QUICK and _rank(item) == len(LONG):
        text = f"took {spent:.1f} s of the processor: mark it with pytest.mark.seconds"
        warnings.warn(pytest.PytestWarning(text), stacklevel=1)
    return result
