"""What every registered model must do; a new model inherits these tests."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from schema import features, settings
from tests.support import planted
from trainer.config.trainer import TrainerConfig
from trainer.data.batches import newest, user_tensors
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


def request_options(model, users, exclude_seen=True, temperature=0.0):
    """What `recommend_with_options` takes beside users, items and k, telling no feature."""
    told = {name: tf.constant([""] * users) for name in model.user_features}
    if features.AGE in told:
        told[features.AGE] = tf.fill([users], tf.constant(-1, tf.int64))
    return {
        "exclude_seen": tf.constant(exclude_seen),
        "temperature": tf.constant(temperature),
        "seed": tf.constant(7),
        **told,
    }


def users_of(model, dataset):
    """All users as serving knows them, whose histories end with what valid asked for."""
    train = dataset.train
    index, context = tf.constant(train.user_index), tf.constant(train.context)
    if not model.history_limit:
        return user_tensors(index, context)
    known = dataset.known
    assert known.user_id.tolist() == train.user_id.tolist()
    histories = tf.RaggedTensor.from_row_splits(known.positions, known.splits)
    return user_tensors(index, context, newest(histories, model.history_limit))


def all_scores(model, dataset):
    """float32 [users, C], by user index, pair by pair."""
    users = model.user_embedding(users_of(model, dataset))
    items = model.item_embedding(tf.range(dataset.catalog.size))
    scores = model.score(users, tf.tile(items[None], [users.shape[0], 1, 1])).numpy()
    return scores[np.argsort(dataset.train.user_index)]


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

    @pytest.fixture(scope="class")
    def loaded(self, config, trained, dataset, tmp_path_factory):
        folder = tmp_path_factory.mktemp("export") / "model"
        return tf.saved_model.load(exported(trained, config, dataset, folder))

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
            model.user_embedding(users_of(model, dataset)),
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
            users = users_of(trained.model, dataset)
            embeddings = trained.model.user_embedding(users).numpy()
            assert (embeddings == embeddings[0]).all()
        elif "hr" in best:
            # Ranked at random among 20 negatives, 5 of 21 targets are hits.
            assert best["hr"] > 2 * 5 / 21

    def test_one_user_against_all_items_scores_as_pair_by_pair(self, trained, dataset):
        model = trained.model
        users = model.user_embedding(users_of(model, dataset))
        items = model.item_embedding(tf.range(dataset.catalog.size))
        pairs = model.score(users, tf.tile(items[None], [users.shape[0], 1, 1]))
        np.testing.assert_allclose(model.score_all(users, items), pairs, rtol=1e-4, atol=1e-5)

    def test_served_scores_equal_the_training_model_after_reloading(self, loaded, trained, dataset):
        positions = np.arange(len(dataset.train.user_index)) % dataset.catalog.size
        served = loaded.signatures["score"](
            user_id=tf.constant(dataset.train.user_id.tolist()),
            item_id=tf.constant(dataset.catalog.item_ids[positions].tolist()),
        )["score"]
        items = trained.model.item_embedding(tf.constant(positions, tf.int32))[:, None]
        users = trained.model.user_embedding(users_of(trained.model, dataset))
        expected = trained.model.score(users, items)[:, 0]
        np.testing.assert_allclose(served, expected, rtol=1e-5, atol=1e-6)

    def test_options_that_ask_for_nothing_give_what_is_recommended(self, loaded, trained):
        asked = {
            "user_id": tf.constant(["u0", "u7", "newcomer"]),
            "exclude_item_id": tf.constant([["i1", ""], ["", ""], ["i2", "i3"]]),
            "k": tf.constant(70),
        }
        expected = loaded.signatures["recommend"](**asked)
        found = loaded.signatures["recommend_with_options"](
            **asked, **request_options(trained.model, 3)
        )
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)

    def test_what_was_seen_is_listed_where_the_request_says_so(self, loaded, trained, dataset):
        found = loaded.signatures["recommend_with_options"](
            user_id=tf.constant(["u5"]),
            exclude_item_id=tf.constant([["i0"]]),
            k=tf.constant(dataset.catalog.size - 1),
            **request_options(trained.model, 1, exclude_seen=False),
        )
        assert set(found["item_id"].numpy()[0]) == set(dataset.catalog.item_ids) - {b"i0"}
        best = np.sort(np.delete(all_scores(trained.model, dataset)[5], 0))[::-1]
        np.testing.assert_allclose(found["score"][0], best, rtol=1e-4, atol=1e-5)

    def test_drawn_items_are_unseen_ones_in_the_order_of_their_scores(self, loaded, trained):
        def ask(name, k, **asked):
            return loaded.signatures[name](
                user_id=tf.constant(["u0", "newcomer"]),
                exclude_item_id=tf.constant([["i1"], ["i2"]]),
                k=tf.constant(k),
                **asked,
            )

        hot = request_options(trained.model, 2, temperature=1e6)
        drawn, again = (ask("recommend_with_options", 8, **hot) for _ in range(2))
        ranked = ask("recommend", 60)["item_id"].numpy().tolist()
        for listed, same, order in zip(drawn["item_id"], again["item_id"], ranked, strict=True):
            np.testing.assert_array_equal(listed, same)
            places = [order.index(item) for item in listed.numpy() if item]
            assert places == sorted(set(places))
            assert len(places) == 8
            assert places != list(range(8))

    def test_unknown_users_may_be_served_as_the_average_user(self, trained, dataset):
        serving = serving_model(trained.model, dataset, 10, "average")
        model = trained.model
        mean = model.user_embedding(users_of(model, dataset)).numpy().mean(axis=0)
        items = model.item_embedding(tf.range(dataset.catalog.size))[None]
        expected = model.score(tf.constant(mean[None]), items)[0]
        served = serving.scores(tf.constant(["newcomer", "u3"]))["score"]
        np.testing.assert_allclose(served[0], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(served[1], all_scores(model, dataset)[3], rtol=1e-4, atol=1e-5)
        listed = serving.recommend(tf.constant(["newcomer"]), tf.constant([[""]]), tf.constant(60))
        np.testing.assert_allclose(
            listed["score"][0], np.sort(expected)[::-1], rtol=1e-4, atol=1e-5
        )

    def test_a_seed_makes_two_trainings_equal(self, config, dataset, tmp_path):
        config = settings.replace_values(config, {"epochs": 2})
        first, second = (
            train(config, planted.EVALUATION, dataset, str(tmp_path / run))
            for run in ("first", "second")
        )
        for left, right in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
            np.testing.assert_array_equal(left, right)
