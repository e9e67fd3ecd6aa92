"""Whole trainings of two-tower models with options that the conformance tests leave out."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import planted, toy_model
from trainer.config.two_tower import SelfSupervisionConfig, SoftmaxConfig, TwoTowerConfig
from trainer.data.batches import newest, user_tensors
from trainer.serving.export import export, serving_model
from trainer.training.train import train

SIZES = {"embedding_dim": 8, "feature_dim": 4}
VARIANTS = {
    "every softmax option": (
        {},
        TwoTowerConfig(
            **SIZES,
            item_features=("id", "genres", "year", "year_value", "title"),
            user_features=("id", "gender", "age", "occupation", "age_value"),
            hidden_units=(16,),
            batch_norm=True,
            dropout=0.1,
            l2=1e-5,
            learn_temperature=True,
            softmax=SoftmaxConfig(logq="streaming", uniform_negatives=20, hard_negatives=40),
            ssl=SelfSupervisionConfig(
                pattern="cfm", keep=("year_value",), information="interactions"
            ),
        ),
    ),
    "full_softmax": ({}, TwoTowerConfig(**SIZES, loss="full_softmax")),
    "bpr, popular": ({"sampler": "popular"}, TwoTowerConfig(**SIZES, loss="bpr", output_dim=6)),
    "max_margin, random": ({"sampler": "random"}, TwoTowerConfig(**SIZES, loss="max_margin")),
}

pytestmark = pytest.mark.seconds


def fitted(variant, dataset, folder, **overrides):
    settings, towers = variant
    config = planted.CONFIGS["two_tower"].replace(two_tower=towers, **settings, **overrides)
    return train(config, planted.EVALUATION, dataset, str(folder))


@pytest.fixture(scope="module")
def dataset():
    return planted.make_dataset()


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_every_loss_learns_the_planted_groups(name, dataset, tmp_path):
    report = fitted(VARIANTS[name], dataset, tmp_path, jit_compile="softmax" in name).report
    losses = [epoch["loss"] for epoch in report["history"]]
    assert losses[-1] < 0.95 * losses[0]
    # Ranked at random among 20 negatives, 5 of 21 targets are hits.
    assert report["best_validation"]["hr"] > 2 * 5 / 21


@pytest.fixture(scope="module")
def history_model(dataset, tmp_path_factory):
    """A model that knows users by their histories alone, before and after export."""
    folder = tmp_path_factory.mktemp("history")
    towers = TwoTowerConfig(
        **SIZES, user_features=("history",), history_limit=6, loss="cross_entropy"
    )
    trained = fitted(({}, towers), dataset, folder)
    serving = serving_model(trained.model, dataset, 10)
    export(serving, str(folder / "model"))
    return trained, tf.saved_model.load(str(folder / "model"))


def recommend(loaded, histories, k):
    items = [[f"i{position}" if position >= 0 else "" for position in row] for row in histories]
    return loaded.signatures["recommend_for_history"](
        item_id=tf.constant(items), k=tf.constant(k, tf.int32)
    )


def test_a_history_model_learns_the_planted_groups(history_model):
    assert history_model[0].report["best_validation"]["hr"] > 2 * 5 / 21


def test_a_history_is_served_what_belongs_to_it(history_model):
    histories = [[group, group + 4, group + 8, -1] for group in range(planted.GROUPS)]
    output = recommend(history_model[1], histories, 5)
    items = [[int(item[1:]) for item in row] for row in output["item_id"].numpy()]
    for group, (row, history) in enumerate(zip(items, histories, strict=True)):
        assert not set(row) & set(history)
        assert sum(item % planted.GROUPS == group for item in row) >= 4
    assert (np.diff(output["score"]) <= 0).all()


def test_a_history_of_unknown_items_is_served_the_popularity_ranking(history_model, dataset):
    counts = dataset.known.counts(dataset.catalog.size)
    output = recommend(history_model[1], [[999, -1]], 3)
    assert output["score"].shape == (1, 3)
    np.testing.assert_allclose(output["score"][0], np.sort(counts)[::-1][:3] / counts.sum())


def test_serving_default_ranks_by_the_history_that_a_new_user_brings(history_model):
    loaded, history = history_model[1], [2, 6, 10]
    items = [f"i{position}" for position in history]
    asked = (("newcomer", [*items, "unheard-of"]), ("u0", items), ("x", []))
    rows = [toy_model.row(user, seen) for user, seen in asked]
    output = loaded.signatures["serving_default"](examples=tf.constant(rows))
    expected = recommend(loaded, [history], 10)
    for name in ("item_id", "title"):
        np.testing.assert_array_equal(output[name][:1], expected[name])
    np.testing.assert_allclose(output["score"][:1], expected["score"], rtol=1e-6)
    # Nothing to go by: popularity.
    served = loaded.signatures["recommend"](
        user_id=tf.constant(["x"]), exclude_item_id=tf.constant([[""]]), k=tf.constant(10)
    )
    np.testing.assert_array_equal(output["item_id"][2:], served["item_id"])
    np.testing.assert_allclose(output["score"][2:], served["score"], rtol=1e-6)


def test_a_known_users_stored_history_goes_on_in_what_a_request_tells(history_model, dataset):
    trained, loaded = history_model
    known = dataset.known
    row = known.user_id.tolist().index(b"u0")
    stored = known.positions[known.splits[row] : known.splits[row + 1]].tolist()
    new = [item for item in (2, 6, 10, 14) if item not in stored]
    # What is stored does not count again.
    told = [*new[:2], stored[0], *new[2:]]
    rows = [toy_model.row("u0", [f"i{item}" for item in told]), toy_model.row("u0", [])]
    output = loaded.signatures["serving_default"](examples=tf.constant(rows))
    history = tf.ragged.constant([[*stored, *new]], tf.int32)
    index, context = known.user_index[row : row + 1], known.context[row : row + 1]
    users = user_tensors(tf.constant(index), tf.constant(context), newest(history, 6))
    model = trained.model
    items = model.item_embedding(tf.range(dataset.catalog.size))
    scores = model.score_all(model.user_embedding(users), items)[0].numpy()
    scores[[*stored, *new]] = -np.inf
    np.testing.assert_allclose(output["score"][0], np.sort(scores)[::-1][:10], rtol=1e-5)
    served = loaded.signatures["recommend"](
        user_id=tf.constant(["u0"]), exclude_item_id=tf.constant([[""]]), k=tf.constant(10)
    )
    np.testing.assert_array_equal(output["item_id"][1], served["item_id"][0])
    assert output["item_id"][0].numpy().tolist() != output["item_id"][1].numpy().tolist()


def test_a_known_user_is_served_by_the_stored_history(history_model, dataset):
    trained, loaded = history_model
    known, users = dataset.known, 5
    histories = tf.RaggedTensor.from_row_splits(known.positions, known.splits)
    stored = dict(zip(known.user_id.tolist(), histories.to_list(), strict=True))
    rows = tf.ragged.constant([stored[f"u{user}".encode()] for user in range(users)], tf.int32)
    inputs = user_tensors(tf.range(users), tf.ones([users, 4], tf.int32), newest(rows, 6))
    embeddings = trained.model.item_embedding(tf.range(users))[:, None]
    expected = trained.model.score(trained.model.user_embedding(inputs), embeddings)[:, 0]
    served = loaded.signatures["score"](
        user_id=tf.constant([f"u{user}" for user in range(users)]),
        item_id=tf.constant([f"i{item}" for item in range(users)]),
    )["score"]
    np.testing.assert_allclose(served, expected, rtol=1e-5, atol=1e-6)
