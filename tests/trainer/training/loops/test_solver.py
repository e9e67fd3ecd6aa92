"""Training of the models that are solved for: epochs, best weights, refit, errors."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from schema.errors import UserError
from tests.support import planted
from trainer.models.ials import IALS
from trainer.serving.export import export, serving_model
from trainer.training.train import train

pytestmark = pytest.mark.seconds

EVALUATION = planted.EVALUATION
IALS_CONFIG = planted.CONFIGS["ials"]


@pytest.fixture(scope="module")
def dataset():
    return planted.make_dataset()


def test_patience_stops_and_the_best_epochs_weights_are_kept(dataset, tmp_path):
    config = IALS_CONFIG.replace(epochs=30, patience=1)
    trained = train(config, EVALUATION, dataset, str(tmp_path))
    best = trained.report["best_epoch"]
    assert trained.report["epochs"] == best + 1 < 30
    shorter = IALS_CONFIG.replace(epochs=best)
    again = train(shorter, EVALUATION, dataset, str(tmp_path / "again"))
    for left, right in zip(trained.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("name", ["ease", "itemknn"])
def test_refit_learns_from_the_validation_targets(name, dataset, tmp_path):
    config = planted.CONFIGS[name].replace(refit=True)
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


@pytest.fixture(scope="module", params=["ease", "itemknn"])
def unknown_user(request, dataset, tmp_path_factory):
    """A model, not refitted, of data whose last user has no vocabulary row."""
    index = dataset.train.user_index
    known = dataclasses.replace(
        dataset, user_vocabulary=dataset.user_vocabulary[:-1], user_oov_buckets=1
    )
    assert index[-1] == len(known.user_vocabulary)
    config = planted.CONFIGS[request.param]
    run = tmp_path_factory.mktemp("run")
    return known, train(config, EVALUATION, known, str(run)).model


def test_an_export_has_each_interaction_once(unknown_user, tmp_path):
    dataset, model = unknown_user
    export(serving_model(model, dataset, 5), str(tmp_path / "model"))
    variables = tf.train.load_checkpoint(str(tmp_path / "model/variables/variables"))
    histories = {
        name: variables.get_tensor(name)
        for name, shape in variables.get_variable_to_shape_map().items()
        if len(shape) == 1 and variables.get_variable_to_dtype_map()[name] == tf.int32
    }
    # The model's own, and of all but the unknown user what was held out from it.
    sizes = sorted(len(values) for values in histories.values())
    assert sizes[-2:] == [79, len(dataset.train.positions)]
    assert dataset.catalog.size not in sizes[-2:]


def test_what_the_model_keeps_is_left_out_of_lists_with_what_it_does_not(unknown_user):
    dataset, model = unknown_user
    serving = serving_model(model, dataset, 5)
    everything = dataset.catalog.size
    found = serving.recommend(
        tf.constant(dataset.train.user_id.tolist()),
        tf.constant([["i0"]] * len(dataset.train.user_id)),
        tf.constant(everything),
    )["item_id"].numpy()
    known = dataset.known
    for row, listed in enumerate(found[:-1]):
        seen = known.positions[known.splits[row] : known.splits[row + 1]]
        expected = set(range(everything)) - set(seen.tolist()) - {0}
        assert {int(item[1:]) for item in listed if item} == expected
    # Nothing is known to have been seen by a user without a row.
    assert (found[-1] != b"").sum() == everything - 1


def test_an_objective_that_is_no_number_is_one_sentence(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(IALS, "solve", lambda self, histories: iter([1.0, float("nan")]))
    with pytest.raises(UserError, match=r"loss became nan in epoch 2.*larger trainer\.ials\.l2"):
        train(IALS_CONFIG, EVALUATION, dataset, str(tmp_path))


@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker_mirrored"])
def test_what_one_process_solves_for_is_refused_a_strategy(strategy):
    with pytest.raises(UserError, match=r"^strategy: expected none with the model ials"):
        IALS_CONFIG.replace(strategy=strategy)


def test_similar_items_are_those_of_the_largest_weights(dataset, tmp_path):
    model = train(planted.CONFIGS["ease"], EVALUATION, dataset, str(tmp_path / "run")).model
    serving = serving_model(model, dataset, 10)
    found = serving.similar_items(tf.constant(["i5"]), tf.constant(10))
    # Only items of one group have users in common.
    groups = {int(item.decode()[1:]) % planted.GROUPS for item in found["item_id"].numpy()[0]}
    assert groups == {5 % planted.GROUPS}
