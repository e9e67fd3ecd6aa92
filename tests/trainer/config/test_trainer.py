"""Sections of TrainerConfig come from the models' rows."""

import pytest
from pydantic import PositiveInt

from pipeline.config import presets
from pipeline.config import run as configuration
from pipeline.config.run import RunConfig
from schema.errors import UserError
from schema.settings import Number, Settings, from_dict, json_schema, replace_values, to_dict
from trainer.config.models import MODELS, ModelSpec, sections
from trainer.config.neumf import NeuMFConfig
from trainer.config.optimizer import OptimizerConfig
from trainer.config.trainer import TrainerConfig
from trainer.config.two_tower import TwoTowerConfig


class ToyConfig(Settings):
    """Settings of a toy model."""

    dim: PositiveInt = 2
    """Width."""
    rate: Number = 0.5
    """Something else."""


@pytest.fixture
def _toy(monkeypatch):
    row = ModelSpec(model="tests.Toy", sections={"toy": ToyConfig})
    monkeypatch.setitem(MODELS, "toy", row)


@pytest.mark.usefixtures("_toy")
def test_a_row_is_all_that_brings_a_models_settings():
    assert TrainerConfig().toy == ToyConfig()
    older = presets.get(presets.DEFAULT)
    assert configuration.override(older, ["trainer.toy.dim=3"]).trainer.toy.dim == 3
    config = configuration.override(
        RunConfig(), ["trainer.model=toy", "trainer.toy.dim=4", "trainer.toy.rate=1e-3"]
    )
    assert config.trainer.section(ToyConfig) == ToyConfig(dim=4, rate=0.001)
    assert list(to_dict(config.trainer))[-1] == "toy"
    assert from_dict(RunConfig, to_dict(config)) == config
    assert "  toy:\n    dim: 4\n    rate: 0.001\n" in configuration.dump(config)
    changed = replace_values(config.trainer, {"toy.dim": 5})
    assert changed == config.trainer.replace(toy=ToyConfig(dim=5, rate=0.001))
    assert changed != config.trainer


@pytest.mark.usefixtures("_toy")
def test_the_schema_knows_the_models_that_have_a_row():
    trainer = json_schema(RunConfig)["$defs"]["TrainerConfig"]
    assert trainer["properties"]["model"]["enum"][-1] == "toy"
    assert trainer["properties"]["toy"]["properties"]["dim"]["exclusiveMinimum"] == 0
    assert trainer["additionalProperties"] is False


@pytest.mark.usefixtures("_toy")
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"toy": {"dim": 0}}, "trainer.toy.dim: expected at least 1, got 0."),
        ({"toy": {"dim": True}}, "trainer.toy.dim: expected an integer, got True."),
        ({"toy": {"dm": 3}}, "Unknown key 'trainer.toy.dm'; did you mean 'trainer.toy.dim'?"),
        ({"toy": 3}, "trainer.toy: expected a mapping, got 3."),
        ({"toi": {}}, "Unknown key 'trainer.toi'; did you mean 'trainer.toy'?"),
        ({"modl": "toy"}, "Unknown key 'trainer.modl'; did you mean 'trainer.model'?"),
    ],
)
def test_mistakes_in_a_section_name_the_whole_path(values, message):
    with pytest.raises(UserError) as caught:
        from_dict(RunConfig, {"trainer": values})
    assert str(caught.value) == message
    with pytest.raises(UserError) as caught:
        TrainerConfig(**values)
    assert str(caught.value) == message.replace("trainer.", "")


def test_a_model_without_its_row_has_no_section():
    with pytest.raises(UserError, match="Unknown key 'toy'"):
        TrainerConfig(toy={})
    with pytest.raises(AttributeError):
        _ = TrainerConfig().toy
    with pytest.raises(LookupError, match="ToyConfig"):
        TrainerConfig().section(ToyConfig)


def test_sections_follow_the_other_keys_in_the_order_of_the_rows():
    keys = list(to_dict(TrainerConfig(two_tower={}, seed=1, mf={"l2": 1})))
    assert keys[:5] == ["model", "epochs", "batch_size", "learning_rate", "optimizer"]
    assert keys[-len(sections()) :] == list(sections())
    assert list(sections()) == [
        *("neumf", "two_tower", "itemknn", "mf", "ials", "ease", "rating", "multi_task")
    ]
    kinds = list(sections().values())
    assert len(set(kinds)) == len(kinds)


def test_equal_settings_are_equal_in_their_sections_too_and_can_be_told_apart_in_sets():
    wide = NeuMFConfig(embedding_dim=16)
    assert TrainerConfig(neumf=wide) == TrainerConfig(neumf={"embedding_dim": 16})
    assert TrainerConfig(neumf=wide) != TrainerConfig()
    assert len({TrainerConfig(neumf=wide), TrainerConfig(neumf=wide), TrainerConfig()}) == 2
    assert TrainerConfig().section(TwoTowerConfig) == TwoTowerConfig()


def test_settings_cannot_be_changed_in_place():
    config = TrainerConfig()
    with pytest.raises(ValueError, match="frozen"):
        config.epochs = 3
    with pytest.raises(ValueError, match="frozen"):
        config.optimizer.name = "sgd"
    assert config.optimizer == OptimizerConfig()


@pytest.mark.parametrize(
    "values",
    [
        {"model": "itemknn"},
        {"model": "ease"},
        {"model": "two_tower", "two_tower": {"user_features": ["id", "history"]}},
        {"model": "multi_task", "two_tower": {"user_features": ["history"]}},
    ],
)
def test_a_model_that_tensorflow_lite_cannot_score_is_refused_at_once(values):
    message = rf"export_tflite: expected false with the model {values['model']}, or a model that"
    with pytest.raises(UserError, match=message):
        from_dict(TrainerConfig, {**values, "export_tflite": True})
    assert not from_dict(TrainerConfig, values).export_tflite


@pytest.mark.parametrize("model", sorted({*MODELS} - {"itemknn", "ease"}))
def test_all_others_can_be_written_for_tensorflow_lite(model):
    assert TrainerConfig(model=model, export_tflite=True).export_tflite
