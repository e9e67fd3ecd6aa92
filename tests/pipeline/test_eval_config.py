"""Gate settings and what they become in TFMA's configuration."""

import pytest
from tensorflow_model_analysis.proto import config_pb2

from pipeline.config import RunConfig, override
from pipeline.eval_config import GateConfig, build_eval_config, metric_name
from schema.errors import UserError
from schema.settings import from_dict, to_dict
from trainer.config import TrainerConfig
from trainer.evaluation_config import EvaluationConfig


def thresholds(gate, k=10, ratings=False):
    config = build_eval_config(EvaluationConfig(k=k), gate, "digest", ratings)
    return {
        metric.config.split('"name": "')[1].split('"')[0]: metric.per_slice_thresholds[0]
        for metric in config.metrics_specs[0].metrics
        if metric.per_slice_thresholds
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_ndcg": 1.5}, r"gate.min_ndcg: expected in \[0, 1\] or null, got 1.5."),
        ({"max_drop": -0.1}, r"gate.max_drop: expected in \[0, 1\] or null, got -0.1."),
        ({"max_dorp": 0.1}, r"Unknown key 'gate.max_dorp'; did you mean 'gate.max_drop'\?"),
    ],
)
def test_a_bad_gate_is_named(values, message):
    with pytest.raises(UserError, match=message):
        from_dict(GateConfig, values, "gate")


@pytest.mark.parametrize("key", ["trainer.validation_protocol", "gate.protocol"])
def test_a_protocol_that_is_not_among_those_of_the_evaluation_is_named(key):
    with pytest.raises(UserError, match=rf"{key}: .*got 'ful'; did you mean 'full'\?"):
        override(RunConfig(), [f"{key}=ful"])
    override(
        RunConfig(),
        [
            "evaluation.protocols={full: {}, uni999: {candidates: sampled, negatives: 999}, "
            "sampled: {candidates: sampled}}",
            f"{key}=uni999",
        ],
    )


def test_a_gate_survives_the_round_trip():
    gate = GateConfig(protocol="sampled", min_hr=0.5, max_drop=None)
    assert from_dict(GateConfig, to_dict(gate)) == gate


def test_metric_names():
    assert metric_name("ndcg", 10, "full") == "ndcg@10_full"
    assert metric_name("hr", 5, "sampled", "popularity") == "popularity_hr@5_sampled"


def test_the_default_gate_asks_for_lift_and_no_large_drop():
    found = thresholds(GateConfig())
    assert set(found) == {"ndcg@10_full", "ndcg_lift@10_full"}
    assert found["ndcg_lift@10_full"].threshold.value_threshold.lower_bound.value > 0
    change = found["ndcg@10_full"].threshold.change_threshold
    assert change.relative.value == pytest.approx(-0.1)
    assert change.direction == config_pb2.MetricDirection.HIGHER_IS_BETTER


def test_the_gate_follows_protocol_and_cut_off():
    gate = GateConfig(
        protocol="sampled", min_hr=0.6, min_ndcg=0.4, must_beat_popularity=False, max_drop=None
    )
    found = thresholds(gate, k=5)
    assert set(found) == {"hr@5_sampled", "ndcg@5_sampled"}
    assert found["hr@5_sampled"].threshold.value_threshold.lower_bound.value == 0.6
    assert not found["ndcg@5_sampled"].threshold.HasField("change_threshold")


def test_thresholds_hold_for_the_overall_slice_only():
    for threshold in thresholds(GateConfig(min_hr=0.1)).values():
        assert list(threshold.slicing_specs) == [config_pb2.SlicingSpec()]


def test_a_gate_that_asks_for_nothing_still_lets_a_model_through():
    # TFX blesses nothing where there is no threshold.
    assert thresholds(GateConfig(must_beat_popularity=False, max_drop=None))


def test_the_sources_digest_changes_the_configuration():
    one, other = (
        build_eval_config(EvaluationConfig(), GateConfig(), digest).SerializeToString()
        for digest in ("one", "other")
    )
    assert one != other


def test_errors_of_ratings_are_measured_and_bounded_where_ratings_are_predicted():
    gate = GateConfig(max_rmse=0.96, must_beat_popularity=False, max_drop=None)
    bound = thresholds(gate, ratings=True)["rmse"].threshold.value_threshold
    assert bound.upper_bound.value == 0.96
    assert not bound.HasField("lower_bound")

    def classes(ratings):
        config = build_eval_config(EvaluationConfig(), GateConfig(), "digest", ratings)
        return {metric.class_name for metric in config.metrics_specs[0].metrics}

    assert classes(True) - classes(False) == {"RatingRMSE", "RatingMAE"}


def test_a_bound_on_ratings_needs_a_model_that_predicts_them():
    gate = GateConfig(max_rmse=0.96)
    with pytest.raises(UserError, match=r"gate.max_rmse: expected null, since neumf predicts no"):
        RunConfig(gate=gate)
    assert RunConfig(gate=gate, trainer=TrainerConfig(model="rating")).gate == gate
