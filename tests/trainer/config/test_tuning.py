"""Declared search spaces: defaults, checks and their sentences."""

import pytest

from pipeline.config import presets
from pipeline.config import run as configuration
from pipeline.config.run import RunConfig
from schema import settings
from schema.errors import UserError
from trainer.config.domains import Range
from trainer.config.models import MODELS
from trainer.config.neumf import NeuMFConfig
from trainer.config.trainer import TrainerConfig
from trainer.config.tuning import TuningConfig, search_space


def test_every_model_but_popularity_has_a_space_that_fits_its_settings():
    for model in sorted(set(MODELS) - {"popularity"}):
        assert search_space(TuningConfig(trials=1), TrainerConfig(model=model))


@pytest.mark.parametrize("name", sorted(set(presets.PRESETS) - {"ncf-ml-1m-popularity"}))
def test_every_preset_can_be_searched(name):
    config = settings.replace_at(presets.get(name), [("tune.trials", "2")])
    assert search_space(config.tune, config.trainer)


def test_a_space_survives_yaml_and_numbers_become_those_of_the_keys(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(
        "tune:\n"
        "  trials: 5\n"
        "  space:\n"
        "    learning_rate: [1e-3, 1e-2]\n"
        "    batch_size: {low: 64, high: 256, step: 64}\n"
        "    neumf.l2_mf: {low: 1e-8, high: 1e-4, log: true}\n"
        "    neumf.hidden_units: [[64, 32, 16, 8], [32, 16, 8, 4]]\n"
    )
    config = configuration.load(str(file))
    file.write_text(configuration.dump(config))
    assert configuration.load(str(file)) == config
    space = search_space(config.tune, config.trainer)
    assert space == {
        "batch_size": Range(low=64, high=256, step=64),
        "learning_rate": (0.001, 0.01),
        "neumf.hidden_units": ([64, 32, 16, 8], [32, 16, 8, 4]),
        "neumf.l2_mf": Range(low=1e-8, high=1e-4, log=True),
    }
    assert isinstance(space["batch_size"].low, int)


def test_one_key_of_the_space_can_be_set():
    config = configuration.override(
        RunConfig(), ["tune.space.neumf.l2_mf=[0.0, 1e-5]", "tune.space.epochs=[1, 2]"]
    )
    assert config.tune.space == {"neumf.l2_mf": (0.0, "1e-5"), "epochs": (1, 2)}


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"learning_rates": [1, 2]}, "tune.space: Unknown key 'learning_rates'; did you mean"),
        (
            {"neumf.embeding_dim": [1, 2]},
            "tune.space: Unknown key 'neumf.embeding_dim'; did you mean 'neumf.embedding_dim'",
        ),
        ({"neumff.embedding_dim": [1, 2]}, "Unknown key 'neumff'; did you mean 'neumf'"),
        ({"neumf": [1, 2]}, "tune.space.neumf: expected a single setting, not a group"),
        ({"learning_rate": [0.1, -1]}, "tune.space: learning_rate: expected > 0, got -1"),
        ({"learning_rate": {"low": -1, "high": 1}}, "tune.space: learning_rate: expected > 0"),
        ({"learning_rate": {"low": 0.1}}, "tune.space.learning_rate: expected high too, got"),
        ({"learning_rate": {"low": 2, "high": 1}}, "learning_rate.low: expected below high 1, got"),
        ({"learning_rate": {"low": 0, "high": 1, "log": True}}, "low: expected > 0 with log"),
        ({"learning_rate": {"lo": 0, "high": 1}}, "did you mean 'tune.space.learning_rate.low'"),
        ({"learning_rate": {"low": 1, "high": 9, "step": 0}}, "step: expected > 0 or null, got 0"),
        (
            {"learning_rate": {"low": 1, "high": 9, "step": 2, "log": True}},
            "step: expected null with log",
        ),
        ({"learning_rate": [0.1]}, "space.learning_rate: expected two or more choices, got"),
        ({"learning_rate": 0.1}, "tune.space.learning_rate: expected a list, got 0.1"),
        ({"learning_rate": ["fast", "slow"]}, "tune.space: learning_rate: expected a number"),
        (
            {"epochs": {"low": 0.5, "high": 2}},
            "tune.space.epochs.low: expected an integer, got 0.5",
        ),
        ({"epochs": {"low": 1, "high": 2, "step": 0.5}}, "epochs.step: expected an integer"),
        ({"sampler": {"low": 1, "high": 2}}, "sampler: expected a list of choices, as the key"),
        ({"sampler": ["popular", "populer"]}, "did you mean 'popular'"),
        ({"jit_compile": {"low": 0, "high": 1}}, "expected a list of choices"),
        ({"neumf.hidden_units": [[8, 4], [7, 4]]}, "tune.space: neumf.l2_mlp: expected one value"),
        ({"two_tower.dropout": [0, 0.5]}, "two_tower.dropout: has no effect on the model neumf"),
        ({"validation_protocol": ["full", "sampled"]}, "validation_protocol: cannot be searched"),
        ({"seed": [1, 2]}, "tune.space.seed: cannot be searched"),
        ([1, 2], "tune.space: expected a mapping, got"),
    ],
)
def test_a_mistake_in_the_space_is_one_sentence(space, message):
    with pytest.raises(UserError) as caught:
        settings.from_dict(RunConfig, {"tune": {"trials": 3, "space": space}})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        ({"trials": -1}, "tune.trials: expected 0 or more, got -1"),
        ({"startup_trials": 0}, "tune.startup_trials: expected at least 1, got 0"),
        ({"seed": -1}, "tune.seed: expected 0 or more"),
        ({"metric": "ndgc"}, "tune.metric: expected one of ndcg, hr, rmse, got 'ndgc'; did you"),
        ({"trials": 1, "metric": "rmse"}, "tune.metric (model neumf): expected one of ndcg, hr, "),
    ],
)
def test_a_mistake_in_the_search_is_one_sentence(tune, message):
    with pytest.raises(UserError) as caught:
        settings.from_dict(RunConfig, {"tune": tune})
    assert message in str(caught.value)


def test_metrics_are_those_that_the_model_is_validated_by():
    both = TrainerConfig(model="multi_task")
    for metric in ("ndcg", "hr", "rmse"):
        assert search_space(TuningConfig(trials=1, metric=metric), both)
    with pytest.raises(UserError, match="expected one of rmse, got 'ndcg'"):
        search_space(TuningConfig(trials=1, metric="ndcg"), TrainerConfig(model="rating"))


def test_a_model_without_hyper_parameters_needs_a_space_of_its_own():
    popularity = TrainerConfig(model="popularity")
    with pytest.raises(UserError, match="the model popularity has nothing to search by default"):
        search_space(TuningConfig(trials=1), popularity)


def test_a_warm_start_is_not_tuned():
    with pytest.raises(UserError, match=r"tune\.trials: expected 0 with trainer\.warm_start"):
        settings.from_dict(RunConfig, {"tune": {"trials": 3}, "trainer": {"warm_start": True}})


def test_a_space_is_not_looked_at_while_nothing_is_searched():
    config = settings.from_dict(RunConfig, {"tune": {"space": {"mf.l2": [0.1, 0.2]}}})
    assert config.tune.trials == 0


def test_what_the_model_reads_of_another_ones_settings_can_be_searched():
    gmf = TrainerConfig(model="gmf", neumf=NeuMFConfig(embedding_dim=4))
    assert search_space(TuningConfig(trials=1, space={"neumf.l2_mf": (0.0, 0.1)}), gmf)
    towers = TrainerConfig(model="multi_task")
    space = {"two_tower.l2": (0.0, 0.1), "multi_task.rating_weight": (0.5, 1.0)}
    assert search_space(TuningConfig(trials=1, space=space), towers)
