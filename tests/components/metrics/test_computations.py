"""Metrics through TFMA's own computations: preprocessors, combiner, means, intervals."""

import numpy as np
import pytest
from tensorflow_model_analysis.metrics import metric_specs

from components.metrics.gather import GatherRanks, pack, take
from tests.support.computations import (
    eval_config,
    hit_rate,
    metric,
    packed_row,
    predictions,
    run,
    tables,
    two_models,
)


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


def test_batches_pad_targets_differently():
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
    found = {key.name: float(v) for key, v in run(config, [one, several]).items()}
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
    with pytest.raises(
        ValueError, match=r"differ: expected .*top_item \[2\].* got .*top_item \[3\]"
    ):
        run(eval_config(hit_rate()), lists)
    one, other = (packed_row(row) for row in (lists[0], predictions(1)))
    with pytest.raises(ValueError, match="outputs of rank differ"):
        GatherRanks([""]).merge_accumulators([one, other])


def test_a_slice_takes_its_rows_of_a_batch_with_their_targets():
    outputs = {
        "user_fingerprint": np.asarray([5, 3, 9, 7]),
        "full_greater": np.asarray([[4, 1], [2, -1], [-1, -1], [0, 6]], np.int32),
        "full_ties": np.asarray([[0, 1], [0, -1], [-1, -1], [2, 0]], np.int32),
        "full_candidates": np.asarray([10, 11, 12, 13], np.int32),
        "top_share": np.asarray([[0.5, 0.1], [0.4, 0.2], [0, 0], [0.25, 0]], np.float32),
    }
    some, none = take(pack({"": outputs}), [np.asarray([3, 1, 2]), np.asarray([2])])
    (table,) = tables(some).values()
    # In the order of the users' fingerprints, without the row that holds nothing out.
    assert table.users.tolist() == [3, 7]
    assert table.count.tolist() == [1, 2]
    assert table.targets["full_greater"].tolist() == [2, 0, 6]
    assert table.targets["full_ties"].tolist() == [0, 2, 0]
    assert table.rows["full_candidates"].tolist() == [11, 13]
    np.testing.assert_array_equal(table.lists["top_share"], outputs["top_share"][[1, 3]])
    assert tables(none) == {}


def test_rows_are_counted_with_those_that_hold_nothing_out():
    config = eval_config(metric("example_count", "RowCount", name="example_count"), hit_rate())
    found = run(config, [predictions(1), predictions(2, full_greater=-1), predictions(3)])
    assert {key.name: float(value) for key, value in found.items()} == {
        "example_count": 3.0,
        "hr@1_full": 1.0,
    }


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


def test_computations_can_be_sent_to_workers():
    from apache_beam.internal import pickler

    config = eval_config(hit_rate(), metric("gini", "ListGini", name="gini@10"))
    computations = metric_specs.to_computations(list(config.metrics_specs), config)
    assert len(pickler.loads(pickler.dumps(computations))) == len(computations)
