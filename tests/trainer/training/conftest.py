"""Known scores, and the split that the tests of validation rank by them."""

import pytest

from tests.support import fixed_scores
from trainer.training import rank_validation


@pytest.fixture
def table():
    return fixed_scores.make_table()


@pytest.fixture
def histories(monkeypatch):
    # Several chunks of users.
    monkeypatch.setattr(rank_validation, "_ROWS_AT_A_TIME", 7)
    return fixed_scores.make_histories()
