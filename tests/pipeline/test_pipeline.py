"""The wiring that depends on settings, and what makes which component run again."""

import pytest

from pipeline.config.run import RunConfig, override
from pipeline.node_ids import BASE_RESOLVER, TRAINER
from pipeline.pipeline import RunPaths, create_pipeline
from trainer.config.trainer import TrainerConfig


def parameters(*settings, force_bless=None):
    """Execution properties by component."""
    config = override(RunConfig(), list(settings))
    paths = RunPaths("data", "ml-100k", "artifacts", "serving")
    pipeline = create_pipeline("name", config, paths, force_bless=force_bless)
    return {node.id: dict(node.exec_properties) for node in pipeline.components}


@pytest.fixture(scope="module")
def usual():
    return parameters()


@pytest.mark.parametrize(
    "setting",
    [
        "gate.min_hr=0.1",
        "gate.significance=true",
        "gate.slices.max_drop=0.1",
        "evaluation.slices=[gender]",
        "evaluation.ties=pessimistic",
        "evaluation.more_k=[20]",
        "evaluation.protocols={full: {}, sampled: {candidates: sampled, negatives: 99}, "
        "uni999: {candidates: sampled, negatives: 999}}",
    ],
)
def test_changed_gate_or_evaluation_settings_rerun_the_evaluator_alone(setting, usual):
    changed = parameters(setting)
    assert {name for name in usual if usual[name] != changed[name]} == {"Evaluator"}


def test_a_changed_protocol_of_the_validation_trains_again(usual):
    changed = parameters(
        "evaluation.protocols={full: {}, sampled: {candidates: sampled, negatives: 50}}",
        "trainer.validation_protocol=sampled",
    )
    different = {name for name in usual if usual[name] != changed[name]}
    assert different == {"RecommenderTrainer", "Evaluator"}


def test_a_forced_blessing_has_a_key_of_its_own(usual):
    forced = parameters(force_bless="the old model is gone")
    assert {name for name in usual if usual[name] != forced[name]} == {"Evaluator"}
    assert "the old model is gone" in str(forced["Evaluator"])
    assert parameters(force_bless="another") != forced


def _nodes(tmp_path, **trainer):
    config = RunConfig().replace(trainer=TrainerConfig(**trainer))
    paths = RunPaths(str(tmp_path), "ml-100k", str(tmp_path / "root"), str(tmp_path / "serving"))
    return {node.id: node for node in create_pipeline("name", config, paths).components}


def test_a_warm_start_hands_the_last_blessed_model_to_the_trainer(tmp_path):
    nodes = _nodes(tmp_path, warm_start=True)
    trainer, resolver = nodes[TRAINER], nodes[BASE_RESOLVER]
    assert trainer.inputs["base_model"] is resolver.outputs["model"]
    assert resolver in trainer.upstream_nodes
    assert list(nodes).index(BASE_RESOLVER) < list(nodes).index(TRAINER)


def test_without_it_the_trainer_knows_no_other_model(tmp_path):
    nodes = _nodes(tmp_path)
    assert BASE_RESOLVER not in nodes
    assert "base_model" not in nodes[TRAINER].inputs
