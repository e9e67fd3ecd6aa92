"""Validation of predicted ratings, and what is measured of which model."""

import dataclasses

import numpy as np
import pytest

from schema.errors import UserError
from tests.support import planted
from tests.support.fixed_scores import ITEMS, Fixed
from trainer.data.interactions import ABSENT
from trainer.training import validation


def test_ratings_are_compared_over_all_rated_targets(table, histories):
    unrated = histories.target_ratings.copy()
    unrated[::5] = np.nan
    histories = dataclasses.replace(histories, target_ratings=unrated)
    model = Fixed(table)
    rated = np.isfinite(unrated) & (histories.targets != ABSENT)
    errors = (table[histories.target_rows, histories.targets] - unrated)[rated]
    assert 0 < len(errors) < len(histories.targets)
    assert validation.RatingValidator(model, histories)() == pytest.approx(
        {"rmse": np.sqrt(np.mean(errors**2)), "mae": np.mean(np.abs(errors))}
    )


def test_a_split_without_ratings_is_refused(table):
    histories = planted.make_histories([[0]], [[ABSENT]])
    with pytest.raises(UserError, match="no rated targets"):
        validation.RatingValidator(Fixed(table), histories)


@pytest.mark.seconds
def test_the_metrics_of_a_model_are_those_that_its_epochs_are_chosen_by(table, histories):
    catalog = planted.make_catalog(ITEMS)
    for name, metrics in (("neumf", {"hr", "ndcg"}), ("rating", {"rmse", "mae"})):
        config = planted.CONFIGS[name]
        measure = validation.make_validator(
            config, Fixed(table), histories, catalog, planted.EVALUATION
        )
        assert set(measure()) == metrics
