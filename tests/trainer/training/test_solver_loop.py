"""Training of the models that are solved for: epochs, best weights, refit, errors."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from schema.errors import UserError
from tests.support import planted
from trainer.data.interactions import user_table
from trainer.models.ials import IALS
from trainer.serving.signatures import ServingModel
from trainer.training.train import train

EVALUATION = planted.EVALUATION
IALS_CONFIG = planted.CONFIGS["ials"]


@pytest.fixture(scope="module")
def dataset():
    return planted.make_dataset()


def test_patience_stops_and_the_best_epochs_weights_are_kept(dataset, tmp_path):
    config = dataclasses.replace(IALS_CONFIG, epochs=30, patience=1)
    trained = train(config, EVALUATION, dataset, str(tmp_path))
    best = trained.report["best_epoch"]
    assert trained.report["epochs"] == best + 1 < 30
    shorter = dataclasses.replace(IALS_CONFIG, epochs=best)
    again = train(shorter, EVALUATION, dataset, str(tmp_path / "again"))
    for left, right in zip(trained.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("name", ["ease", "itemknn"])
def test_refit_learns_from_the_validation_targets(name, dataset, tmp_path):
    config = dataclasses.replace(planted.CONFIGS[name], refit=True)
    trained = train(config, EVALUATION, dataset, str(tmp_path))
    assert trained.report["refit_epochs"] == 1
    weights = {v.name.split(":")[0]: v.numpy() for v in trained.model.variables}
    known = dataset.known
    assert len(weights["history"]) == len(known.positions) > len(dataset.train.positions)
    for user in (0, 17):
        begin, end = weights["history_splits"][user : user + 2]
        (row,) = np.flatnonzero(known.user_index == user)
        expected = known.positions[known.splits[row] : known.splits[row + 1]]
        np.testing.assert_array_equal(weights["history"][begin:end], expected)


def test_an_objective_that_is_no_number_is_one_sentence(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(IALS, "solve", lambda self, histories: iter([1.0, float("nan")]))
    with pytest.raises(UserError, match=r"loss became nan in epoch 2.*larger trainer\.ials\.l2"):
        train(IALS_CONFIG, EVALUATION, dataset, str(tmp_path))


@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker_mirrored"])
def test_what_one_process_solves_for_is_refused_a_strategy(strategy):
    with pytest.raises(UserError, match=r"^strategy: expected none with the model ials"):
        dataclasses.replace(IALS_CONFIG, strategy=strategy)


def test_similar_items_are_those_of_the_largest_weights(dataset, tmp_path):
    model = train(planted.CONFIGS["ease"], EVALUATION, dataset, str(tmp_path / "run")).model
    serving = ServingModel(
        model,
        dataset.catalog.with_counts(dataset.train.counts(dataset.catalog.size)),
        user_table(dataset.train, len(dataset.user_vocabulary), dataset.num_users),
        dataset.user_vocabulary,
        dataset.user_oov_buckets,
        10,
    )
    found = serving.similar_items(tf.constant(["i5"]), tf.constant(10))
    # Only items of one group have users in common.
    groups = {int(item.decode()[1:]) % planted.GROUPS for item in found["item_id"].numpy()[0]}
    assert groups == {5 % planted.GROUPS}
