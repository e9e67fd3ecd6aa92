"""RecommenderTuner's own executor, and the real Trainer on what it found."""

import csv
import json
import pathlib

import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from tfx.types import channel_utils

from components.trainer.component import RecommenderTrainer
from components.tuner.component import RecommenderTuner
from schema import settings
from tests.support import upstream
from trainer.config import keys
from trainer.config.evaluation import EvaluationConfig
from trainer.config.neumf import NeuMFConfig
from trainer.config.trainer import TrainerConfig
from trainer.config.tuning import TuningConfig

CONFIG = TrainerConfig(
    model="gmf",
    epochs=2,
    batch_size=256,
    # The worst that is searched.
    learning_rate=1e-6,
    jit_compile=False,
    neumf=NeuMFConfig(embedding_dim=4),
)
TUNING = TuningConfig(
    trials=2,
    space={"learning_rate": (1e-6, 0.02, 0.05), "neumf.hidden_units": ((8,) * 4, (4,) * 4)},
)

pytestmark = pytest.mark.seconds


@pytest.fixture(scope="module")
def inputs(upstream_made):
    return upstream_made[1]


def run(folder, component, inputs, runtime=None, **settings_of_its_own):
    channels = {name: channel_utils.as_channel([artifact]) for name, artifact in inputs.items()}
    custom_config = {
        keys.TRAINER_KEY: settings.to_dict(CONFIG),
        keys.EVALUATION_KEY: settings.to_dict(EvaluationConfig(k=3)),
        keys.USER_OOV_KEY: 1,
        keys.ITEM_OOV_KEY: 1,
        **settings_of_its_own,
    }
    node = component(**channels, custom_config=custom_config, **(runtime or {}))
    return upstream.Runner(folder)(node, **inputs)


def tune(folder, inputs, trials, states):
    tuning = settings.to_dict(TUNING.replace(trials=trials))
    return run(folder, RecommenderTuner, inputs, tune=tuning, checkpoints=str(states))


def report(outputs):
    return json.loads((pathlib.Path(outputs["tuner_results"].uri) / keys.TRIALS_FILE).read_text())


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    return tmp_path_factory.mktemp("states")


@pytest.fixture(scope="module")
def tuned(inputs, states, tmp_path_factory):
    return tune(tmp_path_factory.mktemp("tuned"), inputs, 2, states)


def test_a_run_may_change_the_epochs_of_trials_and_training(inputs, tmp_path):
    tuning = settings.to_dict(TUNING.replace(trials=1))
    found = run(tmp_path / "1", RecommenderTuner, inputs, runtime={"epochs": 1}, tune=tuning)
    assert len(report(found)["best"]["curve"]) == 1
    # Nothing keeps the states of such a search but the artifact: the best one's, by its digest.
    (state,) = pathlib.Path(found["best_run"].uri).iterdir()
    assert not state.name.startswith("trial-")
    changes = {"trainer_overrides": '{"epochs": 1}'}
    outputs = run(tmp_path / "2", RecommenderTrainer, inputs, runtime=changes)
    training = json.loads((pathlib.Path(outputs["model_run"].uri) / keys.TRAINING_FILE).read_text())
    assert training["epochs"] == 1


def trained(outputs):
    """What a Trainer tells, and its model's weights."""
    told = (pathlib.Path(outputs["model_run"].uri) / keys.TRAINING_FILE).read_text()
    model = tf.saved_model.load(str(pathlib.Path(outputs["model"].uri) / "Format-Serving"))
    return json.loads(told), [weight.numpy() for weight in model._weights]


@pytest.fixture(scope="module")
def trained_again(inputs, tuned, tmp_path_factory):
    """With the values alone, and a refit after the choice."""
    given = {**inputs, "hyperparameters": tuned["best_hyperparameters"]}
    changes = {"trainer_overrides": '{"refit": true}'}
    return trained(
        run(tmp_path_factory.mktemp("again"), RecommenderTrainer, given, runtime=changes)
    )


def test_the_trainer_trains_with_the_values_that_were_found(tuned, trained_again):
    best = report(tuned)["best"]
    assert best["values"]["learning_rate"] > 1e-6
    training, _ = trained_again
    # The same training once more, to the last digit.
    assert [epoch["valid_ndcg"] for epoch in training["history"]] == best["curve"]
    assert training["best_validation"]["ndcg"] == best["valid_ndcg"]
    assert training["resumed_epochs"] == 0


def test_the_best_trial_is_taken_over_and_ends_as_a_training_of_its_own(
    inputs, tuned, trained_again, tmp_path, capsys
):
    given = {
        **inputs,
        "hyperparameters": tuned["best_hyperparameters"],
        "best_run": tuned["best_run"],
    }
    changes = {"trainer_overrides": '{"refit": true}'}
    training, weights = trained(run(tmp_path, RecommenderTrainer, given, runtime=changes))
    again, weights_again = trained_again
    assert training["resumed_epochs"] == training["epochs"] == CONFIG.epochs
    assert training["refit_epochs"] == again["refit_epochs"] == again["best_epoch"]
    for key in ("best_epoch", "best_validation", "stopped_by", "epochs", "steps", "examples"):
        assert training[key] == again[key]
    for one, other in zip(weights, weights_again, strict=True):
        np.testing.assert_array_equal(one, other)
    said = capsys.readouterr().err
    assert "the training of the Tuner's best trial is taken over" in said
    assert "epoch 1: loss" not in said


def test_a_trial_of_other_epochs_is_not_taken_over(inputs, tuned, tmp_path):
    given = {**inputs, "best_run": tuned["best_run"]}
    values = report(tuned)["best"]["values"]
    changes = {"trainer_overrides": json.dumps({**values, "epochs": CONFIG.epochs - 1})}
    training, _ = trained(run(tmp_path, RecommenderTrainer, given, runtime=changes))
    assert (training["epochs"], training["resumed_epochs"]) == (CONFIG.epochs - 1, 0)


def test_the_artifact_is_what_keras_tuner_writes(tuned):
    (path,) = pathlib.Path(tuned["best_hyperparameters"].uri).iterdir()
    found = keras_tuner.HyperParameters.from_config(json.loads(path.read_text()))
    assert found.values == report(tuned)["best"]["values"]


def test_the_table_is_written_as_csv_and_json(tuned):
    with open(pathlib.Path(tuned["tuner_results"].uri) / keys.TABLE_FILE, newline="") as file:
        rows = list(csv.DictReader(file))
    trials = report(tuned)["history"]
    assert [row["number"] for row in rows] == ["1", "2"]
    for row, trial in zip(rows, trials, strict=True):
        assert float(row["valid_ndcg"]) == trial["valid_ndcg"]
        assert float(row["learning_rate"]) == trial["values"]["learning_rate"]
        assert json.loads(row["neumf.hidden_units"]) == trial["values"]["neumf.hidden_units"]
        assert int(row["epochs"]) == len(trial["curve"]) == CONFIG.epochs


def test_more_trials_go_on_with_the_finished_ones(inputs, tuned, states, tmp_path):
    outputs = tune(tmp_path, inputs, 3, states)
    more = report(outputs)
    assert (more["trials"], more["resumed"]) == (3, 2)
    assert more["history"][:2] == report(tuned)["history"]
    # One small file, and the state of the best trial.
    (folder,) = states.iterdir()
    best = f"trial-{more['best']['number']}"
    assert sorted(path.name for path in folder.iterdir()) == sorted([best, "trials.json"])
    assert list(pathlib.Path(outputs["best_run"].uri).rglob("state.json"))
