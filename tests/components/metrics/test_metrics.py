"""Metrics of ranks by hand, against scikit-learn, and through TFMA's computations."""

import json

import numpy as np
import pytest
from sklearn.metrics import ndcg_score
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.metrics import bootstrap
from components.metrics.hr import hits
from components.metrics.lift import lifts
from components.metrics.ndcg import gains
from components.metrics.ranks import RankTable
from trainer import ranking

COUNTS = [
    f"{subject}{protocol}_{count}"
    for subject in ("", "popularity_")
    for protocol in ("full", "sampled")
    for count in ("greater", "ties")
]


def table(**columns):
    size = len(next(iter(columns.values())))
    zeros = {name: np.zeros(size, np.int64) for name in COUNTS}
    given = {name: np.asarray(values) for name, values in columns.items()}
    return RankTable({"user_fingerprint": np.arange(size), **zeros, **given})


def test_metrics_by_hand():
    # Certainly second; certainly third; second or third; one of the first four.
    ranks = table(full_greater=[1, 2, 1, 0], full_ties=[0, 0, 1, 3])
    second, third = 1 / np.log2(3), 1 / np.log2(4)
    np.testing.assert_allclose(hits(ranks, 2, "full", "model"), [1, 0, 0.5, 0.5])
    np.testing.assert_allclose(
        gains(ranks, 2, "full", "model"), [second, 0, second / 2, (1 + second) / 4]
    )
    np.testing.assert_allclose(
        gains(ranks, 3, "full", "model"),
        [second, third, (second + third) / 2, (1 + second + third) / 4],
    )


def test_protocols_and_subjects_read_their_own_columns():
    ranks = table(
        full_greater=[0],
        sampled_greater=[1],
        popularity_full_greater=[2],
        popularity_sampled_greater=[3],
    )
    found = [
        gains(ranks, 10, protocol, subject)[0]
        for subject in ("model", "popularity")
        for protocol in ("full", "sampled")
    ]
    np.testing.assert_allclose(found, 1 / np.log2([2, 3, 4, 5]))
    np.testing.assert_allclose(lifts(ranks, 10, "full"), 1 - 1 / np.log2(4))


def test_gains_equal_scikit_learns_average_over_ties():
    generator = np.random.default_rng(2)
    scores = generator.integers(0, 6, (300, 25)).astype(float)
    labels = np.zeros_like(scores)
    labels[:, 0] = 1
    greater = (scores[:, 1:] > scores[:, :1]).sum(axis=1)
    ties = (scores[:, 1:] == scores[:, :1]).sum(axis=1)
    found = gains(table(full_greater=greater, full_ties=ties), 25, "full", "model")
    expected = [ndcg_score(labels[[row]], scores[[row]]) for row in range(300)]
    np.testing.assert_allclose(found, expected)


def test_metrics_equal_those_of_validation():
    greater, ties = (grid.ravel() for grid in np.mgrid[0:15, 0:15].astype(np.int32))
    ranks = table(full_greater=greater, full_ties=ties)
    for found, expected in ((hits, ranking.hit_rate), (gains, ranking.ndcg)):
        np.testing.assert_allclose(
            found(ranks, 10, "full", "model"), expected(greater, ties, 10), atol=1e-6
        )


def fingerprints(count):
    return np.random.default_rng(7).integers(-(2**63), 2**63 - 1, count)


def test_intervals_are_those_of_the_normal_approximation_on_many_users():
    values = (np.random.default_rng(0).random((20000, 1)) < 0.3).astype(float)
    lower, upper = bootstrap.interval(values, fingerprints(20000))
    error = values.std() / np.sqrt(20000)
    assert lower[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.25 * error)
    assert upper[0] == pytest.approx(values.mean() + 1.96 * error, abs=0.25 * error)


def test_about_95_of_100_intervals_hold_the_truth():
    generator = np.random.default_rng(4)
    values = (generator.random((400, 200)) < 0.2).astype(float)
    # One resampling for 200 independent quantities would be one experiment.
    held = [
        lower[0] <= 0.2 <= upper[0]
        for lower, upper in (
            bootstrap.interval(values[:, [column]], fingerprints(80000)[column * 400 :][:400])
            for column in range(200)
        )
    ]
    assert 0.90 <= np.mean(held) <= 0.99


def test_intervals_depend_on_the_users_alone():
    values, users = np.random.default_rng(1).random((5000, 2)), fingerprints(5000)
    order = np.random.default_rng(2).permutation(5000)
    np.testing.assert_allclose(
        bootstrap.interval(values, users),
        bootstrap.interval(values[order], users[order]),
        rtol=1e-5,
    )
    # Paired: equal quantities differ by nothing in every resample.
    shift = bootstrap.interval(values[:, :1] - (values[:, :1] - 0.1), users)
    np.testing.assert_allclose(shift, 0.1, rtol=1e-5)


def test_the_interval_of_one_user_exists():
    np.testing.assert_allclose(bootstrap.interval(np.asarray([[0.5]]), np.asarray([3])), 0.5)


def eval_config(*metrics, models=("",)):
    return config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(name=m, is_baseline=m == "baseline") for m in models],
        metrics_specs=[config_pb2.MetricsSpec(metrics=list(metrics), model_names=models)],
    )


def metric(module, class_name, **config):
    return config_pb2.MetricConfig(
        module=f"components.metrics.{module}", class_name=class_name, config=json.dumps(config)
    )


def evaluate(config, rows):
    """Runs TFMA's computations as its evaluator does, in two shards."""
    computations = metric_specs.to_computations(list(config.metrics_specs), config)
    gather = computations[0].combiner
    shards = [gather.create_accumulator(), gather.create_accumulator()]
    for number, predictions in enumerate(rows):
        inputs = metric_types.StandardMetricInputs(predictions=predictions)
        shards[number % 2] = gather.add_input(shards[number % 2], inputs)
    metrics = gather.extract_output(gather.merge_accumulators(shards))
    kinds = metric_types.DerivedMetricComputation, metric_types.CIDerivedMetricComputation
    for kind in kinds:
        for computation in [c for c in computations if type(c) is kind]:
            metrics.update(computation.result(metrics))
    return {key: value for key, value in metrics.items() if not key.name.startswith("_")}


def predictions(user, **columns):
    values = {"user_fingerprint": user, **dict.fromkeys(COUNTS, 0), **columns}
    return {name: np.asarray([value]) for name, value in values.items()}


def test_metric_keys_carry_the_configured_names_and_means():
    config = eval_config(
        metric("hr", "RankHitRate", name="hr@1_full", k=1, source_digest="x"),
        metric("ndcg", "RankNDCG", name="ndcg@3_full", k=3),
        metric("lift", "PopularityLift", name="ndcg_lift@3_full", k=3),
    )
    rows = [predictions(number, full_greater=number % 4) for number in range(8)]
    found = {key.name: value for key, value in evaluate(config, rows).items()}
    mean = (1 + 1 / np.log2(3) + 1 / 2 + 0) / 4
    assert float(found["hr@1_full"]) == pytest.approx(0.25)
    assert float(found["ndcg@3_full"]) == pytest.approx(mean)
    assert float(found["ndcg_lift@3_full"]) == pytest.approx(mean - 1)


def test_a_baseline_without_any_hit_can_still_be_divided_by():
    config = eval_config(
        metric("hr", "RankHitRate", name="hr@1_full", k=1), models=("candidate", "baseline")
    )
    rows = [
        {"candidate": predictions(number), "baseline": predictions(number, full_greater=5)}
        for number in range(3)
    ]
    found = {key.model_name: float(value) for key, value in evaluate(config, rows).items()}
    assert found["candidate"] == 1.0
    assert 0 < found["baseline"] < 1e-9


def test_errors_of_ratings_by_hand_with_paired_intervals():
    config = eval_config(
        metric("rmse", "RatingRMSE", name="rmse"),
        metric("mae", "RatingMAE", name="mae"),
        metric("hr", "RankHitRate", name="hr@1_full", k=1),
        models=("candidate", "baseline"),
    )
    errors = np.asarray([1.0, -2.0, 0.5, 0.0], np.float32)
    rows = [
        {
            "candidate": predictions(n, target_score=3 + errors[n % 4], target_rating=3.0),
            # Predicts no ratings.
            "baseline": predictions(n, full_greater=5),
        }
        for n in range(400)
    ]
    found = evaluate(config, rows)
    by_name = {(key.name, key.model_name): value for key, value in found.items()}
    rmse, mae = by_name["rmse", "candidate"], by_name["mae", "candidate"]
    assert float(rmse) == pytest.approx(np.sqrt(np.mean(errors**2)))
    assert float(mae) == pytest.approx(np.mean(np.abs(errors)))
    # The delta method: the deviation of a root of a mean m is that of m over 2 sqrt(m).
    deviation = np.std(errors**2) / np.sqrt(400) / (2 * np.sqrt(np.mean(errors**2)))
    assert rmse.sample_standard_deviation == pytest.approx(deviation, rel=0.15)
    assert np.isnan(float(by_name["rmse", "baseline"]))
    assert float(by_name["hr@1_full", "baseline"]) < 1e-9
    assert float(by_name["hr@1_full", "candidate"]) == 1.0
