"""RMSE and MAE through TFMA's own computations."""

import numpy as np
import pytest

from tests.support.computations import eval_config, hit_rate, metric, predictions, run, two_models


def test_errors_of_ratings_by_hand_with_paired_intervals():
    config = eval_config(
        metric("rmse", "RatingRMSE", name="rmse"),
        metric("mae", "RatingMAE", name="mae"),
        hit_rate(),
        models=("candidate", "baseline"),
    )
    errors = np.asarray([1.0, -2.0, 0.5, 0.0], np.float32)
    # The baseline predicts no ratings.
    rows = two_models(target_rating=3.0)
    for n, row in enumerate(rows):
        row["candidate"]["target_score"] = np.asarray([3 + errors[n % 4]], np.float32)
    found = run(config, rows)
    by_name = {(key.name, key.model_name): v for key, v in found.items() if not key.is_diff}
    rmse, mae = by_name["rmse", "candidate"], by_name["mae", "candidate"]
    assert float(rmse) == pytest.approx(np.sqrt(np.mean(errors**2)))
    assert float(mae) == pytest.approx(np.mean(np.abs(errors)))
    # The delta method: the deviation of a root of a mean m is that of m over 2 sqrt(m).
    deviation = np.std(errors**2) / np.sqrt(400) / (2 * np.sqrt(np.mean(errors**2)))
    assert rmse.sample_standard_deviation == pytest.approx(deviation, rel=0.15)
    assert np.isnan(float(by_name["rmse", "baseline"]))
    assert float(by_name["hr@1_full", "baseline"]) == pytest.approx(0.25)


def test_a_rating_counts_once_however_many_its_user_holds_out():
    config = eval_config(
        metric("rmse", "RatingRMSE", name="rmse"), metric("mae", "RatingMAE", name="mae")
    )
    rows = [
        predictions(1, full_greater=[0, 1, 2], target_score=[3.0] * 3, target_rating=[3, 4, 5.0]),
        predictions(2, full_greater=0, target_score=1.0, target_rating=4.0),
    ]
    rows[1] = {n: np.append(v, np.nan) if n.startswith("target") else v for n, v in rows[1].items()}
    rows[1] |= {
        name: np.append(value, -1)
        for name, value in rows[1].items()
        if name.endswith(("_greater", "_ties"))
    }
    found = {key.name: float(value) for key, value in run(config, rows).items()}
    assert found["rmse"] == pytest.approx(np.sqrt((0 + 1 + 4 + 9) / 4))
    assert found["mae"] == pytest.approx((0 + 1 + 2 + 3) / 4)


def test_ratings_of_items_that_the_model_lacks_do_not_count():
    config = eval_config(
        metric("rmse", "RatingRMSE", name="rmse"), metric("mae", "RatingMAE", name="mae")
    )
    lacking = {"full_greater": [0, 1], "target_rating": [3.0, np.nan]}
    rows = [
        predictions(0, target_score=[5.0, np.nan], **lacking),
        predictions(1, target_score=[np.nan], target_rating=[np.nan]),
        predictions(2, target_score=[4.0], target_rating=[3.0]),
    ]
    found = {key.name: float(value) for key, value in run(config, rows).items()}
    assert found["rmse"] == pytest.approx(np.sqrt((4 + 1) / 2))
    assert found["mae"] == pytest.approx((2 + 1) / 2)


def test_a_prediction_that_is_no_number_is_no_figure():
    config = eval_config(metric("rmse", "RatingRMSE", name="rmse"))
    rows = [
        predictions(0, target_score=[4.0], target_rating=[3.0]),
        predictions(1, target_score=[np.nan], target_rating=[3.0]),
    ]
    (found,) = run(config, rows).values()
    assert np.isnan(float(found))
