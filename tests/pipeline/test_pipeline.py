"""The wiring that depends on settings."""

import dataclasses

from pipeline.config import RunConfig
from pipeline.pipeline import BASE_RESOLVER, TRAINER, Places, create_pipeline
from trainer.config import TrainerConfig


def _nodes(tmp_path, **trainer):
    config = dataclasses.replace(RunConfig(), trainer=TrainerConfig(**trainer))
    places = Places(str(tmp_path), "ml-100k", str(tmp_path / "root"), str(tmp_path / "serving"))
    return {
        node.id: node
        for node in create_pipeline("name", config, places, str(tmp_path / "db")).components
    }


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
