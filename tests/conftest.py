"""Settings of the whole test run."""

import os

import pytest

# TFRS, TFT and TFMA wrap Keras 2; TensorFlow reads this on its first import.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# Its tests are inherited by test modules.
pytest.register_assert_rewrite("tests.support.conformance")
