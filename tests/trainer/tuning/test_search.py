"""The search: what it finds, gives up, goes on from and leaves behind."""

import dataclasses
import json
import os
import types

import numpy as np
import pytest

from schema.errors import UserError
from tests.support import planted
from trainer.config.domains import Range
from trainer.config.tuning import TuningConfig
from trainer.tuning import search
from trainer.tuning.best_run import TrialStates
from trainer.tuning.trials import COMPLETE, FAILED, PRUNED, Journal, Search, Trial

GMF = planted.CONFIGS["gmf"].replace(epochs=4, jit_compile=False)
RATES = {"learning_rate": Range(low=1e-5, high=1.0, log=True), "neumf.embedding_dim": (2, 4, 8)}


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def dataset():
    return planted.make_dataset()


def tune(config, dataset, folder=None, states=None, **settings):
    tuning = TuningConfig(**settings)
    return search.tune(config, planted.EVALUATION, dataset, tuning, folder, states)


class FakeTraining:
    """Learns as fast as the logarithm of its learning rate is near to that of 0.01.

    Args:
      fatal: the training, counted from 1, that is killed.
    """

    def __init__(self, monkeypatch, fatal=None):
        self.configs = []
        self._fatal = fatal
        monkeypatch.setattr(search, "train", self)
        # Half a second in a process that holds TensorFlow, with nothing to find.
        monkeypatch.setattr(search.gc, "collect", lambda: None)

    def __call__(self, config, protocol, dataset, run_dir, states_dir, watch):
        assert run_dir is None
        assert not config.refit
        self.configs.append(config)
        speed = 1 / (1 + abs(np.log10(config.learning_rate / 0.01)))
        history = []
        for epoch in range(1, config.epochs + 1):
            if len(self.configs) == self._fatal:
                raise Killed
            value = speed * epoch / config.epochs
            history.append({"valid_ndcg": value, "valid_hr": 1 - value})
            if epoch < config.epochs and watch(epoch, {"ndcg": value, "hr": 1 - value}):
                break
        if states_dir is not None:
            # A trial begins without the state of one that was killed.
            os.makedirs(states_dir)
        # The last epoch is the best by NDCG, which HR has no say in.
        best = {"ndcg": history[-1]["valid_ndcg"], "hr": history[-1]["valid_hr"]}
        report = {"best_validation": best, "best_epoch": len(history), "history": history}
        return types.SimpleNamespace(report=report)


def without_times(search):
    return [dataclasses.replace(trial, seconds=0.0) for trial in search.trials]


@pytest.mark.seconds
def test_the_better_of_two_learning_rates_is_found_and_no_more_is_tried(dataset, tmp_path):
    config = GMF.replace(learning_rate=1e-5, refit=True)
    search = tune(
        config, dataset, str(tmp_path), trials=5, space={"learning_rate": (1e-5, 0.05, 0.05)}
    )
    assert [trial.values["learning_rate"] for trial in search.trials] == [1e-5, 0.05]
    best = search.best()
    assert best.number == 2
    assert best.metric == max(best.curve) > search.trials[0].metric + 0.1
    # Neither states nor checkpoints nor what test rows know: only the journal.
    assert [path.name for path in tmp_path.iterdir()] == ["trials.json"]
    assert "known" not in dataset.__dict__


@pytest.mark.seconds
def test_a_trial_that_falls_behind_is_given_up(dataset):
    config = GMF.replace(learning_rate=0.05)
    search = tune(
        config, dataset, trials=2, startup_trials=1, space={"learning_rate": (0.05, 1e-7)}
    )
    assert [trial.state for trial in search.trials] == [COMPLETE, PRUNED]
    assert len(search.trials[1].curve) < config.epochs == len(search.trials[0].curve)
    assert search.best().number == 1


def test_the_state_of_the_best_trial_outlives_the_others_and_a_kill(monkeypatch, tmp_path):
    states = TrialStates(str(tmp_path))
    (tmp_path / "trial-6").mkdir()
    for trials in (5, 14):
        FakeTraining(monkeypatch)
        found = tune(GMF, None, str(tmp_path), states, trials=trials, space=RATES)
        kept = [path.name for path in tmp_path.iterdir() if path.is_dir()]
        assert f"trial-{found.best().number}" in kept
        # Besides what a killed trial left.
        assert len(kept) == (2 if trials == 5 else 1)
    assert {PRUNED, COMPLETE} == {trial.state for trial in found.trials}


def test_no_trial_is_given_up_among_those_at_random(monkeypatch):
    FakeTraining(monkeypatch)
    for startup, pruned in ((5, True), (14, False)):
        search = tune(GMF, None, trials=14, space=RATES, startup_trials=startup)
        states = [trial.state for trial in search.trials]
        assert (PRUNED in states) == pruned
        assert PRUNED not in states[:startup]


@pytest.mark.seconds
def test_a_rating_model_is_searched_for_the_lowest_error(dataset):
    config = planted.CONFIGS["rating"].replace(epochs=1, jit_compile=False)
    search = tune(
        config.replace(learning_rate=1e-6),
        dataset,
        trials=2,
        space={"learning_rate": (1e-6, 0.02)},
    )
    assert search.metric == "rmse"
    assert search.best().metric == min(trial.metric for trial in search.trials)
    assert search.best().values == {"learning_rate": 0.02}


@pytest.mark.seconds
def test_values_that_cannot_be_trained_are_told_and_passed_over(dataset):
    config = GMF.replace(epochs=1, negatives_per_positive=1)
    search = tune(config, dataset, trials=2, space={"learning_rate": (1e38, 0.02)})
    (failed,) = [trial for trial in search.trials if trial.state == FAILED]
    assert "The training loss became nan" in failed.error
    assert search.best().values == {"learning_rate": 0.02}
    with pytest.raises(UserError, match=r"None of the 1 trials could be trained; .* loss became"):
        tune(
            config.replace(learning_rate=1e38),
            dataset,
            trials=1,
            space={"learning_rate": (1e38, 0.02)},
        )


def test_a_search_makes_one_study(monkeypatch, tmp_path):
    FakeTraining(monkeypatch)
    made, create = [], search.optuna.create_study
    monkeypatch.setattr(
        search.optuna, "create_study", lambda **asked: made.append(asked) or create(**asked)
    )
    for trials in (4, 7):
        assert len(tune(GMF, None, str(tmp_path), trials=trials, space=RATES).trials) == trials
    assert len(made) == 2


def test_later_trials_learn_from_the_earlier_ones(monkeypatch):
    FakeTraining(monkeypatch)
    config = GMF.replace(learning_rate=1.0)
    search = tune(config, None, trials=40, space=RATES)
    distance = [abs(np.log10(t.values["learning_rate"] / 0.01)) for t in search.trials]
    # Draws by chance would lie 1.3 powers of ten away.
    assert sum(distance[5:]) / 35 < 0.9
    assert search.report()["pruned"] > 5
    assert 0.005 < search.best().values["learning_rate"] < 0.02


def test_the_first_trial_is_the_configuration_even_outside_of_the_space(monkeypatch):
    training = FakeTraining(monkeypatch)
    config = GMF.replace(learning_rate=3.0)
    tune(config, None, trials=8, space=RATES)
    assert training.configs[0] == config
    assert all(1e-5 <= it.learning_rate <= 1.0 for it in training.configs[1:])
    assert {it.neumf.embedding_dim for it in training.configs} <= {2, 4, 8}
    assert {it.replace(learning_rate=1.0, neumf=GMF.neumf) for it in training.configs} == {
        config.replace(learning_rate=1.0)
    }


def test_whole_numbers_and_steps_are_kept_to(monkeypatch):
    training = FakeTraining(monkeypatch)
    space = {
        "batch_size": Range(low=64, high=256, step=64),
        "neumf.l2_mf": Range(low=0.0, high=0.5, step=0.25),
    }
    tune(GMF, None, trials=15, space=space)
    assert {it.batch_size for it in training.configs} == {64, 128, 192, 256}
    assert {it.neumf.l2_mf for it in training.configs} == {0.0, 0.25, 0.5}
    # All twelve of them, each once.
    assert len(training.configs) == 12


@pytest.mark.parametrize("fatal", [1, 6, 14])
def test_a_killed_search_ends_with_the_trials_of_an_uninterrupted_one(fatal, monkeypatch, tmp_path):
    settings = {"trials": 14, "space": RATES}
    FakeTraining(monkeypatch)
    whole = tune(GMF, None, **settings)
    FakeTraining(monkeypatch, fatal)
    with pytest.raises(Killed):
        tune(GMF, None, str(tmp_path / "kept"), **settings)
    after = FakeTraining(monkeypatch)
    again = tune(GMF, None, str(tmp_path / "kept"), **settings)
    assert without_times(again) == without_times(whole)
    assert again.resumed == fatal - 1
    assert len(after.configs) == 14 - again.resumed
    assert any(trial.state == PRUNED for trial in again.trials)


def test_more_trials_go_on_with_those_that_were_finished(monkeypatch, tmp_path):
    training = FakeTraining(monkeypatch)
    five = tune(GMF, None, str(tmp_path), trials=5, space=RATES)
    eight = tune(GMF, None, str(tmp_path), trials=8, space=RATES)
    assert len(training.configs) == 8
    assert eight.resumed == 5
    assert eight.trials[:5] == five.trials
    assert without_times(eight) == without_times(tune(GMF, None, trials=8, space=RATES))
    # Fewer take the first ones, and leave the others where they are.
    assert tune(GMF, None, str(tmp_path), trials=5, space=RATES).trials == five.trials
    assert len(Journal(str(tmp_path)).read()) == 8


def test_the_seed_and_the_metric_change_the_search(monkeypatch):
    FakeTraining(monkeypatch)
    first = tune(GMF, None, trials=4, space=RATES)
    other = tune(GMF, None, trials=4, space=RATES, seed=1)
    assert [t.values for t in first.trials[1:]] != [t.values for t in other.trials[1:]]
    by_hr = tune(GMF, None, trials=4, space=RATES, metric="hr")
    # Here the higher the HR, the lower is NDCG.
    assert by_hr.best().metric == max(trial.metric for trial in by_hr.trials)
    assert by_hr.best().number == min(first.trials, key=lambda trial: trial.metric).number


def test_the_report_and_the_table_hold_each_trial():
    values = {"learning_rate": 0.5, "neumf.hidden_units": [8, 4]}
    search = Search(
        "rmse",
        [
            Trial(1, COMPLETE, values, 1.5, 2, (1.75, 1.5), 3.0),
            Trial(2, COMPLETE, values, 1.25, 1, (1.25,), 2.0),
            Trial(3, COMPLETE, values, 1.25, 1, (1.25,), 2.0),
            Trial(4, PRUNED, values, 1.0, 1, (1.0,), 2.0),
            Trial(5, FAILED, values, seconds=1.0, error="so, and so"),
        ],
        resumed=2,
    )
    assert search.csv().splitlines() == [
        "number,state,valid_rmse,best_epoch,epochs,seconds,error,learning_rate,neumf.hidden_units",
        '1,complete,1.5,2,2,3.0,,0.5,"[8, 4]"',
        '2,complete,1.25,1,1,2.0,,0.5,"[8, 4]"',
        '3,complete,1.25,1,1,2.0,,0.5,"[8, 4]"',
        '4,pruned,1.0,1,1,2.0,,0.5,"[8, 4]"',
        '5,failed,,,0,1.0,"so, and so",0.5,"[8, 4]"',
    ]
    report = json.loads(json.dumps(search.report()))
    assert [row["number"] for row in report.pop("history")] == [1, 2, 3, 4, 5]
    best = report.pop("best")
    assert (best["number"], best["curve"], best["values"]) == (2, [1.25], values)
    assert report == {
        **{
            "metric": "rmse",
            "protocol": None,
            "trials": 5,
            "complete": 3,
            "pruned": 1,
            "failed": 1,
        },
        **{"resumed": 2, "seconds": 10.0},
    }
