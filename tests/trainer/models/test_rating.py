"""The rating model against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from schema import features
from schema.errors import UserError
from tests.support import planted
from trainer.config.ratings import RatingConfig
from trainer.data.batches import POSITIVE
from trainer.data.catalog import CatalogTensors
from trainer.models.rating import Rating

USERS, ITEMS = 5, 6
BATCH = {
    features.USER_INDEX: tf.constant([0, 3, 3]),
    POSITIVE: tf.constant([5, 1, 2]),
    features.RATING: tf.constant([4.0, 1.0, 5.0]),
}


def build(**overrides):
    tf.keras.utils.set_random_seed(3)
    settings = RatingConfig(**{"embedding_dim": 3, "hidden_units": (8, 4), **overrides})
    model = Rating(settings, USERS, 1, CatalogTensors(planted.make_catalog(ITEMS)))
    # Larger than the initial ones, so that a mistake shows.
    model._users.assign(100 * model._users)
    return model


def rating_by_numpy(model, user, item):
    """Dense layers over the concatenated embeddings."""
    w = {variable.name.split(":")[0]: variable.numpy() for variable in model.trainable_variables}
    embeddings = np.concatenate([w["user_embedding"][user], w["item_embedding"][item]])
    kernel = np.concatenate([w["user_first/kernel"], w["item_first/kernel"]])
    hidden = np.maximum(embeddings @ kernel + w["user_first/bias"], 0)
    (dense,) = {name.split("/")[0] for name in w if name.startswith("dense")}
    hidden = np.maximum(hidden @ w[f"{dense}/kernel"] + w[f"{dense}/bias"], 0)
    return (hidden @ w["prediction/kernel"] + w["prediction/bias"])[0]


def test_predictions_equal_the_concatenated_network():
    model = build()
    users = model.user_embedding({features.USER_INDEX: tf.range(USERS)})
    items = model.item_embedding(tf.range(ITEMS))
    expected = [[rating_by_numpy(model, u, i) for i in range(ITEMS)] for u in range(USERS)]
    np.testing.assert_allclose(model.score_all(users, items), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        model.predict_ratings(users, items[:USERS]), np.diag(expected), rtol=1e-5, atol=1e-6
    )


def test_loss_is_the_mean_squared_error_and_the_metric_its_root():
    model = build()
    pairs = zip(BATCH[features.USER_INDEX].numpy(), BATCH[POSITIVE].numpy(), strict=True)
    errors = [rating_by_numpy(model, *pair) for pair in pairs] - BATCH[features.RATING].numpy()
    loss = model.compute_loss(BATCH, training=True)
    np.testing.assert_allclose(loss, np.mean(errors**2), rtol=1e-5)
    assert model.task.metrics[0].result() == 0
    model.compute_loss(BATCH, training=False)
    np.testing.assert_allclose(model.task.metrics[0].result(), np.sqrt(np.mean(errors**2)), 1e-5)


def test_l2_is_that_of_each_examples_embeddings():
    plain, held = build(), build(l2=0.5)
    users = plain._users.numpy()[[0, 3, 3]]
    items = plain._items.numpy()[[5, 1, 2]]
    expected = 0.5 * (np.square(users).sum() + np.square(items).sum()) / 3
    difference = held.compute_loss(BATCH, True) - plain.compute_loss(BATCH, True)
    np.testing.assert_allclose(difference, expected, rtol=1e-4)


def test_dropout_acts_in_training_only():
    model = build(dropout=0.5)
    assert model.compute_loss(BATCH) == model.compute_loss(BATCH)
    assert model.compute_loss(BATCH, True) != model.compute_loss(BATCH, True)


def test_unknown_users_and_items_start_from_nothing():
    model = build()
    np.testing.assert_array_equal(model._users.numpy()[USERS - 1 :], 0)
    np.testing.assert_array_equal(model._items.numpy()[ITEMS:], 0)
    assert np.abs(model._items.numpy()[:ITEMS]).min() > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"hidden_units": ()},
            r"hidden_units: expected at least one value, each at least 1, got \[\]",
        ),
        ({"l2": -1.0}, "l2: expected 0 or more, got -1.0"),
        ({"dropout": 1.0}, r"dropout: expected in \[0, 1\), got 1.0"),
    ],
)
def test_bad_settings_are_named(values, message):
    with pytest.raises(UserError, match=message):
        RatingConfig().replace(**values)
