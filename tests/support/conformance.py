"""What every registered model must do; a new model inherits these tests."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from schema import settings
from tests.support import planted
from trainer.config.trainer import TrainerConfig
from trainer.data.batches import user_tensors
from trainer.models import registry
from trainer.models.base import DataSizes, SolvedModel
from trainer.serving.export import export, serving_model
from trainer.training.train import train
from trainer.training.warm_start_source import write_warm_start_source

# Models that a test cannot ask its question, with the reason; it then holds
# them to the reason.
CLOSED_FORM = {
    "popularity": "counting is done after one epoch, so no loss can fall",
    "itemknn": "minimizes no loss, and its similarities are known after one epoch",
    "ease": "its loss is at the minimum after one epoch",
}
IMPERSONAL = {"popularity": "ranks alike for all users, so it cannot learn whose group is whose"}


def users_of(dataset):
    return user_tensors(tf.constant(dataset.train.user_index), tf.constant(dataset.train.context))


def exported(trained, config, dataset, folder):
    """Writes a SavedModel that a warm start can begin with."""
    write = functools.partial(
        write_warm_start_source, trained.model, trained.chosen, config, dataset
    )
    export(serving_model(trained.model, dataset, 10), str(folder), write_more=write)
    return str(folder)


class Conformance:
    """The tests; a subclass has a fixture `config`, of the class, with the model's configuration.

    It trains on planted.make_dataset() until the model knows the planted groups.
    """

    @pytest.fixture(scope="class")
    def dataset(self):
        return planted.make_dataset()

    @pytest.fixture(scope="class")
    def trained(self, config, dataset, tmp_path_factory):
        return train(config, planted.EVALUATION, dataset, str(tmp_path_factory.mktemp("run")))

    def test_settings_survive_json(self, config):
        text = json.dumps(settings.to_dict(config))
        assert settings.from_dict(TrainerConfig, json.loads(text)) == config

    def test_the_row_says_what_the_class_is(self, config):
        model, spec = registry.model_class(config.model), config.spec
        assert issubclass(model, SolvedModel) == spec.solved
        assert model.predicts_ratings == spec.predicts_ratings

    def test_builds_from_its_settings_with_finite_scores(self, config, dataset):
        sizes = DataSizes(dataset.num_users, dataset.context_sizes, dataset.catalog)
        model = registry.build(config, sizes)
        scores = model.score_all(
            model.user_embedding(users_of(dataset)),
            model.item_embedding(tf.range(dataset.catalog.size)),
        )
        assert scores.shape == (len(dataset.train.user_index), dataset.catalog.size)
        assert np.isfinite(scores).all()

    def test_loss_falls(self, config, trained):
        losses = [epoch["loss"] for epoch in trained.report["history"]]
        if config.model in CLOSED_FORM:
            assert len(losses) == 1 < config.epochs
            return
        assert losses[-1] < 0.9 * losses[0]

    def test_learns_the_planted_groups(self, config, trained, dataset):
        best = trained.report["best_validation"]
        if "rmse" in best:
            # Ratings are 2 or 5: the mean is off by 1.5.
            assert best["rmse"] < 0.75
        if config.model in IMPERSONAL:
            embeddings = trained.model.user_embedding(users_of(dataset)).numpy()
            assert (embeddings == embeddings[0]).all()
        elif "hr" in best:
            # Ranked at random among 20 negatives, 5 of 21 targets are hits.
            assert best["hr"] > 2 * 5 / 21

    def test_one_user_against_all_items_scores_as_pair_by_pair(self, trained, dataset):
        model = trained.model
        users = model.user_embedding(users_of(dataset))
        items = model.item_embedding(tf.range(dataset.catalog.size))
        pairs = model.score(users, tf.tile(items[None], [users.shape[0], 1, 1]))
        np.testing.assert_allclose(model.score_all(users, items), pairs, rtol=1e-4, atol=1e-5)

    def test_served_scores_equal_the_training_model_after_reloading(
        self, config, trained, dataset, tmp_path
    ):
        loaded = tf.saved_model.load(exported(trained, config, dataset, tmp_path / "model"))
        positions = np.arange(len(dataset.train.user_index)) % dataset.catalog.size
        served = loaded.signatures["score"](
            user_id=tf.constant(dataset.train.user_id.tolist()),
            item_id=tf.constant(dataset.catalog.item_ids[positions].tolist()),
        )["score"]
        items = trained.model.item_embedding(tf.constant(positions, tf.int32))[:, None]
        expected = trained.model.score(trained.model.user_embedding(users_of(dataset)), items)[:, 0]
        np.testing.assert_allclose(served, expected, rtol=1e-5, atol=1e-6)

    def test_a_seed_makes_two_trainings_equal(self, config, dataset, tmp_path):
        config = settings.replace_values(config, {"epochs": 2})
        first, second = (
            train(config, planted.EVALUATION, dataset, str(tmp_path / run))
            for run in ("first", "second")
        )
        for left, right in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
            np.testing.assert_array_equal(left, right)
