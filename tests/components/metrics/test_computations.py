"""Metrics through TFMA's own computations: preprocessors, combiner, means, intervals."""

import json

import numpy as np
import pytest
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.metrics.gather import GatherRanks, PackRanks

PROTOCOLS = "full", "sampled"


def eval_config(*metrics, models=("",)):
    return config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(name=m, is_baseline=m == "baseline") for m in models],
        metrics_specs=[config_pb2.MetricsSpec(metrics=list(metrics), model_names=models)],
    )


def metric(module, class_name, **config):
    return config_pb2.MetricConfig(
        module=f"components.metrics.{module}", class_name=class_name, config=json.dumps(config)
    )


def hit_rate(name="hr@1_full", **config):
    return metric("hr", "RankHitRate", name=name, protocol="full", **{"k": 1, **config})


def run(config, rows, order=None):
    """Runs TFMA's computations as its evaluator does, in two shards."""
    computations = metric_specs.to_computations(list(config.metrics_specs), config)
    (preprocessor,), combiner = computations[0].preprocessors, computations[0].combiner
    shards = [combiner.create_accumulator(), combiner.create_accumulator()]
    for number in range(len(rows)) if order is None else order:
        packed = list(preprocessor.process({constants.PREDICTIONS_KEY: rows[number]}))
        shards[number % 2] = combiner.add_inputs(shards[number % 2], packed)
    metrics = combiner.extract_output(combiner.merge_accumulators(shards))
    kinds = metric_types.DerivedMetricComputation, metric_types.CIDerivedMetricComputation
    for kind in kinds:
        for computation in [c for c in computations if type(c) is kind]:
            metrics.update(computation.result(metrics))
            if kind is kinds[0] and len(config.model_specs) == 2:
                metrics.update(changes(metrics))
    return {key: value for key, value in metrics.items() if not key.name.startswith("_")}


def changes(metrics):
    """What TFMA's AddDiffMetrics adds."""
    return {
        key.make_diff_key(): value - metrics[key.make_baseline_key("baseline")]
        for key, value in metrics.items()
        if key.model_name == "candidate" and not key.name.startswith("_") and not key.is_diff
    }


def predictions(user, pad=0, **columns):
    """A row's outputs as TFMA hands them out: arrays of one value, or of T or K values."""
    targets = [
        f"{subject}{protocol}_{count}"
        for subject in ("", "popularity_")
        for protocol in PROTOCOLS
        for count in ("greater", "ties")
    ]
    values = {name: np.asarray([0]) for name in targets}
    values |= {f"{p}_candidates": np.asarray([100]) for p in PROTOCOLS}
    values |= {f"{p}_weight": np.asarray([1.0]) for p in PROTOCOLS}
    values |= {name: np.atleast_1d(value) for name, value in columns.items()}
    length = max(len(value) for value in values.values())
    for name in (*targets, "target_score", "target_rating"):
        if name in values:
            nothing = -1 if name in targets else np.nan
            missing = length - len(values[name]) + pad
            values[name] = np.append(values[name], [nothing] * missing)
    packed = {
        name: value.astype(np.float32 if value.dtype.kind == "f" else np.int32)
        for name, value in values.items()
    }
    return {"user_fingerprint": np.asarray([user], np.int64), **packed}


def test_metric_keys_carry_the_configured_names_and_means():
    config = eval_config(
        hit_rate(source_digest="x"),
        metric("ndcg", "RankNDCG", name="ndcg@3_full", protocol="full", k=3),
        metric("ndcg", "RankNDCG", name="lift", protocol="full", k=3, subject="lift"),
    )
    rows = [predictions(number, full_greater=number % 4) for number in range(8)]
    found = {key.name: value for key, value in run(config, rows).items()}
    mean = (1 + 1 / np.log2(3) + 1 / 2 + 0) / 4
    assert float(found["hr@1_full"]) == pytest.approx(0.25)
    assert float(found["ndcg@3_full"]) == pytest.approx(mean)
    assert float(found["lift"]) == pytest.approx(mean - 1)


def test_batches_pad_targets_differently_and_give_scalars_or_arrays():
    config = eval_config(
        metric("recall", "RankRecall", name="recall", protocol="full", k=2),
        metric("coverage", "ListCoverage", name="coverage", k=2),
    )
    one = predictions(1, full_greater=1, top_item=[3, 4], top_share=[0.5, 0.5], catalog_size=6)
    several = predictions(
        2,
        pad=3,
        full_greater=[0, 7, 9],
        full_ties=[0, 0, 0],
        top_item=[4, -1],
        top_share=[0.5, 0.0],
        catalog_size=6,
    )
    # TFMA may squeeze a dimension of size 1.
    scalars = {name: value.reshape(()) if value.size == 1 else value for name, value in one.items()}
    for first in (one, scalars):
        found = {key.name: float(v) for key, v in run(config, [first, several]).items()}
        assert found["recall"] == pytest.approx((1 + 1 / 3) / 2)
        assert found["coverage"] == pytest.approx(2 / 6)


def test_figures_do_not_depend_on_the_order_of_rows():
    config = eval_config(metric("ndcg", "RankNDCG", name="ndcg", protocol="full"))
    generator = np.random.default_rng(0)
    rows = [
        predictions(int(user), full_greater=generator.integers(0, 12, generator.integers(1, 4)))
        for user in generator.permutation(50)
    ]
    (one,) = run(config, rows).values()
    (other,) = run(config, rows, order=generator.permutation(50)).values()
    assert float(one) == float(other)
    assert one.sample_mean == other.sample_mean


def test_a_row_without_targets_does_not_count_and_a_slice_of_such_has_no_figures():
    config = eval_config(hit_rate())
    without = predictions(2, full_greater=-1)
    (found,) = run(config, [predictions(1), without]).values()
    assert float(found) == 1.0
    assert run(config, [without]) == {}


def test_rows_that_do_not_fit_together_are_an_error():
    lists = [predictions(n, top_item=[1] * (2 + n), top_share=[0.1] * (2 + n)) for n in range(2)]
    with pytest.raises(ValueError, match="top_item: expected 2 values a row, got 3"):
        run(eval_config(hit_rate()), lists)
    one, other = (
        next(PackRanks([""]).process({constants.PREDICTIONS_KEY: row}))
        for row in (lists[0], predictions(1))
    )
    with pytest.raises(ValueError, match="different outputs"):
        GatherRanks([""]).merge_accumulators([one, other])


def two_models(**metrics):
    """Four hundred rows of a candidate that hits half, and of a baseline that hits a quarter."""
    return [
        {
            "candidate": predictions(n, full_greater=n % 2, **metrics),
            "baseline": predictions(n, full_greater=int(n % 4 > 0)),
        }
        for n in range(400)
    ]


def test_the_change_against_the_baseline_has_a_paired_interval():
    config = eval_config(hit_rate(), models=("candidate", "baseline"))
    found = run(config, two_models())
    change = next(value for key, value in found.items() if key.is_diff)
    assert float(change) == pytest.approx(0.25)
    # The rows' differences are 0 or 1, never -1: less spread than two samples have.
    differences = np.asarray([1.0 if n % 4 == 2 else 0.0 for n in range(400)])
    error = differences.std() / np.sqrt(400)
    assert change.sample_standard_deviation == pytest.approx(error, rel=0.1)


def test_a_baseline_without_any_hit_is_0():
    config = eval_config(hit_rate(), models=("candidate", "baseline"))
    rows = [
        {"candidate": predictions(number), "baseline": predictions(number, full_greater=5)}
        for number in range(3)
    ]
    found = run(config, rows)
    by_model = {key.model_name: float(v) for key, v in found.items() if not key.is_diff}
    assert by_model == {"candidate": 1.0, "baseline": 0.0}


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


def test_a_row_of_no_target_that_the_model_knows_has_no_evaluation_loss():
    config = eval_config(
        metric(
            "evaluation_loss",
            "EvaluationLoss",
            name="loss",
            protocol="sampled",
            training_negatives=1,
        )
    )
    rows = [
        predictions(user, sampled_positive_loss=positive, sampled_negative_loss=99.0)
        for user, positive in ((0, 3.0), (1, -1.0))
    ]
    (found,) = run(config, rows).values()
    # 99 negatives of 1 each beside a target of 3.
    assert float(found) == pytest.approx((3 + 1) / 2)


@pytest.mark.parametrize(("negatives", "trained"), [(99, 4), (999, 4), (99, 1)])
def test_the_evaluation_loss_is_the_model_gardens(negatives, trained):
    generator = np.random.default_rng(negatives)
    users = 30
    logits = generator.normal(size=(users, 1 + negatives)).astype(np.float32)
    weight = np.ones(users)
    weight[:3] = 0
    softplus = np.logaddexp(0, logits)
    rows = [
        predictions(
            user,
            sampled_greater=0,
            sampled_candidates=1 + negatives,
            sampled_weight=weight[user],
            sampled_positive_loss=float(np.logaddexp(0, -logits[user, -1])),
            sampled_negative_loss=float(softplus[user, :-1].sum()),
        )
        for user in range(users)
    ]
    config = eval_config(
        metric(
            "evaluation_loss",
            "EvaluationLoss",
            name="loss",
            protocol="sampled",
            training_negatives=trained,
        )
    )
    (found,) = run(config, rows).values()
    # Softmax cross entropy over [0, logit] of every point, each with its weight;
    # the mean is over points of a weight other than 0.
    labels = np.zeros_like(logits)
    labels[:, -1] = 1
    of_class = np.stack([np.zeros_like(logits), logits], axis=-1)
    log_probability = of_class - np.logaddexp(of_class[..., :1], of_class[..., 1:])
    entropy = -np.where(labels == 1, log_probability[..., 1], log_probability[..., 0])
    weights = (labels + (1 - labels) * trained / negatives) * (1 + negatives) / (1 + trained)
    weights *= weight[:, np.newaxis]
    expected = (weights * entropy).sum() / np.count_nonzero(weights)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_computations_can_be_sent_to_workers():
    from apache_beam.internal import pickler

    config = eval_config(hit_rate(), metric("gini", "ListGini", name="gini@10"))
    computations = metric_specs.to_computations(list(config.metrics_specs), config)
    assert len(pickler.loads(pickler.dumps(computations))) == len(computations)
