"""Self-supervision on item features: masks, views and their loss."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from schema.errors import UserError
from tests.support import planted
from tests.support.choices import names_of
from tests.support.small_towers import ITEMS, POSITIVES, batch, build
from trainer.config.two_tower import SelfSupervisionConfig
from trainer.models.two_tower.self_supervision import (
    PATTERNS,
    most_informative,
    mutual_information,
)


def ssl_loss(pattern, alpha, catalog=None, **overrides):
    ssl = SelfSupervisionConfig(pattern=pattern, alpha=alpha, **overrides)
    return build(catalog, ssl=ssl).compute_loss(batch([0, 1, 2, 3], POSITIVES))


def test_self_supervision_adds_its_weighted_loss():
    plain = build().compute_loss(batch([0, 1, 2, 3], POSITIVES))
    one, two = ssl_loss("rfm", 1.0), ssl_loss("rfm", 2.0)
    assert one > plain + 0.01
    np.testing.assert_allclose(two - plain, 2 * (one - plain), rtol=1e-4)
    assert abs(ssl_loss("rfm", 1.0, temperature=1.0) - one) > 0.01


@pytest.mark.parametrize("pattern", ["rfm", "rfm-complementary", "cfm"])
def test_self_supervision_contrasts_two_masked_runs_of_the_item_tower(pattern, monkeypatch):
    model = build(ssl=SelfSupervisionConfig(pattern=pattern))
    seen = {}
    side = model.self_supervision
    monkeypatch.setattr(side, "masks", lambda seed: tf.constant([[1, 0, 0], [0, 1, 1]]) > 0)
    monkeypatch.setattr(
        side, "loss", lambda *views: seen.update(zip("lrp", views, strict=True)) or tf.constant(0.0)
    )
    model.compute_loss(batch([0, 1, 2, 3], POSITIVES), training=True)
    parts = [part.numpy() for part in model._items.parts(seen["p"])]
    # The learned vectors of masked features start at zero.
    left = np.concatenate([0 * parts[0], parts[1], parts[2]], axis=1)
    right = np.concatenate([parts[0], 0 * parts[1], 0 * parts[2]], axis=1)
    for view, expected in ((seen["l"], left), (seen["r"], right)):
        np.testing.assert_allclose(view, model._item_layers(expected), rtol=1e-5, atol=1e-6)


def test_correlated_masks_come_from_the_catalog():
    # Genre and decade tell the same; the title's words halve the catalog.
    catalog = planted.make_catalog(12)
    titles = [b"odd" if row % 2 else b"even" for row in range(12)]
    years = np.arange(12) % 4
    catalog = dataclasses.replace(
        catalog, titles=np.asarray(titles, object), year_index=years.astype(np.int32)
    )
    model = build(
        catalog,
        item_features=("genres", "title", "year"),
        title_min_count=1,
        ssl=SelfSupervisionConfig(pattern="cfm"),
    )
    masks = most_informative(mutual_information(model._items.categories()))
    assert masks.tolist() == [[True, False, True], [True, True, False], [True, False, True]]


def test_self_supervision_needs_features_that_the_catalog_has():
    bare = dataclasses.replace(
        planted.make_catalog(ITEMS), genres=np.zeros((ITEMS, 0), np.float32), genre_names=()
    )
    with pytest.raises(UserError, match="two or more that the catalog has, got id"):
        build(bare, item_features=("id", "genres"), ssl=SelfSupervisionConfig(pattern="rfm"))


def test_the_settings_name_the_patterns_that_there_are():
    assert names_of(SelfSupervisionConfig, "pattern") == {"none", *PATTERNS}
