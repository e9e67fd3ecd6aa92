"""Settings of gate and evaluation, and what the latter become in TFMA's configuration."""

import json
import pathlib

import pytest
import yaml
from tensorflow_model_analysis.metrics import metric_specs
from tensorflow_model_analysis.utils import config_util

from components.evaluator.eval_config import build_eval_config
from components.evaluator.gate.config import GateConfig
from components.evaluator.metric_names import metric_name
from pipeline.config.run import RunConfig, override
from schema.errors import UserError
from schema.settings import from_dict, to_dict
from trainer.config.evaluation import METRICS, EvaluationConfig, ProtocolConfig
from trainer.config.trainer import TrainerConfig


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
    assert metric_name("auc_lift", None, "full") == "auc_lift_full"
    assert metric_name("coverage", 10, "") == "coverage@10"


def test_there_are_no_thresholds_so_that_tfx_leaves_the_blessing_alone():
    config = build_eval_config(EvaluationConfig(), "digest", ratings=True)
    specs = config_util.update_eval_config_with_defaults(config, has_baseline=True)
    assert not metric_specs.metric_thresholds_from_metrics_specs(specs.metrics_specs, specs)


def test_the_sources_digest_changes_the_configuration():
    one, other = (
        build_eval_config(EvaluationConfig(), digest).SerializeToString()
        for digest in ("one", "other")
    )
    assert one != other


def test_errors_of_ratings_are_measured_where_ratings_are_predicted():
    def classes(ratings):
        config = build_eval_config(EvaluationConfig(), "digest", ratings)
        return {metric.class_name for metric in config.metrics_specs[0].metrics}

    assert classes(True) - classes(False) == {"RatingRMSE", "RatingMAE"}


def test_a_bound_on_ratings_needs_a_model_that_predicts_them():
    gate = GateConfig(max_rmse=0.96)
    with pytest.raises(UserError, match=r"gate.max_rmse: expected null, since neumf predicts no"):
        RunConfig(gate=gate)
    assert RunConfig(gate=gate, trainer=TrainerConfig(model="rating")).gate == gate


def names(evaluation, ratings=False):
    config = build_eval_config(evaluation, "digest", ratings)
    made = [json.loads(metric.config)["name"] for metric in config.metrics_specs[0].metrics]
    assert made.pop(0) == "example_count"
    return made


PROTOCOLS = {
    "full": ProtocolConfig(),
    "uni999": ProtocolConfig(candidates="sampled", negatives=999),
}


def test_metrics_are_computed_for_every_protocol_cut_off_and_subject():
    evaluation = EvaluationConfig(
        k=10,
        more_k=(20,),
        protocols=PROTOCOLS,
        metrics=("hr", "ndcg", "auc", "coverage", "diversity"),
    )
    expected = {"coverage@10", "coverage@20", "diversity@10"}
    for protocol in PROTOCOLS:
        for metric in ("hr@10", "hr@20", "ndcg@10", "ndcg@20", "auc"):
            lift = "_lift@".join(metric.split("@")) if "@" in metric else f"{metric}_lift"
            expected |= {f"{name}_{protocol}" for name in (metric, f"popularity_{metric}", lift)}
    found = names(evaluation)
    assert set(found) == expected
    assert len(found) == len(expected)


def test_metrics_are_computed_as_they_are_chosen():
    # evaluation_loss is there for protocols that sample only.
    evaluation = EvaluationConfig(
        protocols=PROTOCOLS, metrics=("hr", "ndcg", "evaluation_loss", "gini")
    )
    config = build_eval_config(evaluation, "digest", training_negatives=7)
    by_name = {
        json.loads(m.config)["name"]: json.loads(m.config)
        for m in config.metrics_specs[0].metrics
        if m.config
    }
    assert by_name["evaluation_loss_uni999"]["training_negatives"] == 7
    assert "evaluation_loss_full" not in by_name
    assert "gini@10" in by_name
    assert not any(name.startswith(("mrr", "coverage")) for name in by_name)


def test_the_tie_rule_reaches_every_metric_of_ranks():
    evaluation = EvaluationConfig(ties="pessimistic", metrics=METRICS)
    config = build_eval_config(evaluation, "digest")
    for metric in config.metrics_specs[0].metrics:
        settings = json.loads(metric.config or "{}")
        if "subject" in settings:
            assert settings["ties"] == "pessimistic"


def test_every_metric_can_be_made_from_its_configuration():
    evaluation = EvaluationConfig(more_k=(5,), metrics=METRICS)
    config = build_eval_config(evaluation, "digest", ratings=True)
    assert set(names(evaluation)) >= {"map@5_full", "list_popularity@10", "mean_rank_sampled"}
    config = config_util.update_eval_config_with_defaults(config, rubber_stamp=True)
    computations = metric_specs.to_computations(list(config.metrics_specs), config)
    assert len(computations) > len(names(evaluation))


def test_slices_and_crosses_become_slicing_specs():
    evaluation = EvaluationConfig(slices=("occupation", "gender*age_group"))
    specs = build_eval_config(evaluation, "digest").slicing_specs
    assert [list(spec.feature_keys) for spec in specs] == [
        [],
        ["occupation"],
        ["gender", "age_group"],
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"metrics": ["hr", "ndcg", "ndgc"]}, r"evaluation.metrics: .*did you mean 'ndcg'\?"),
        ({"metrics": ["hr", "mrr"]}, r"evaluation.metrics: expected hr and ndcg among them, got"),
        ({"metrics": ["hr", "ndcg", "hr"]}, r"metrics: expected each once, got 'hr' twice."),
        (
            {"metrics": ["hr", "ndcg", "evaluation_loss"], "protocols": {"full": {}}},
            r"evaluation_loss expected a protocol with candidates=sampled, got none.",
        ),
    ],
)
def test_a_bad_choice_of_metrics_is_named(values, message):
    with pytest.raises(UserError, match=message):
        from_dict(EvaluationConfig, values, "evaluation")


def test_the_documentation_names_every_metric_and_its_example_is_valid():
    text = (pathlib.Path(__file__).parents[3] / "docs/evaluation.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for metric in (*METRICS, "rmse", "mae"):
        assert any(f"`{metric}`" in row or f"`{metric}@k`" in row for row in rows), metric
    example = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    evaluation = from_dict(RunConfig, example).evaluation
    assert "mlperf" in evaluation.protocols
    # As the text above it says.
    usual = EvaluationConfig()
    assert usual.more_k == ()
    assert (evaluation.k, evaluation.ties) == (usual.k, usual.ties)
    assert list(usual.protocols.items()) == list(evaluation.protocols.items())[:2]
