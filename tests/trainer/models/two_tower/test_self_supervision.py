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
        side,
        "loss",
        lambda *views: seen.update(zip("lrpd", views, strict=True)) or tf.constant(0.0),
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
    information = mutual_information(model._items.categories())
    masks = most_informative(information, 2)
    assert masks.tolist() == [[True, False, True], [True, True, False], [True, False, True]]
    assert most_informative(information, 1).tolist() == np.eye(3, dtype=bool).tolist()


def test_mutual_information_counts_an_item_as_often_as_its_weight():
    columns = [np.asarray([0, 0, 1, 1]), np.asarray([5, 7, 7, 7])]
    weights = np.asarray([3.0, 0.0, 2.0, 1.0])
    joint = {(0, 5): 3 / 6, (1, 7): 3 / 6}
    expected = sum(p * np.log(p / (0.5 * 0.5)) for p in joint.values())
    np.testing.assert_allclose(mutual_information(columns, weights)[0, 1], expected)
    repeated = [np.repeat(column, weights.astype(int)) for column in columns]
    np.testing.assert_allclose(mutual_information(columns, weights), mutual_information(repeated))


def drawn(side, seeds=200):
    """All pairs of masks that come up, as tuples of feature numbers."""
    found = set()
    for seed in range(seeds):
        masks = side.masks(tf.constant([seed, 0], tf.int64))
        found.add(tuple(tuple(np.flatnonzero(mask).tolist()) for mask in masks))
    return found


def side_of(item_features=("id", "genres", "year", "title"), **settings):
    ssl = SelfSupervisionConfig(**settings)
    return build(item_features=item_features, title_min_count=1, ssl=ssl).self_supervision


@pytest.mark.seconds
def test_masks_cover_half_of_the_features_or_as_many_as_the_settings_say():
    three = ("id", "genres", "year")
    assert {len(left) for left, _ in drawn(side_of(three, pattern="rfm"))} == {2}
    fewer = drawn(side_of(three, pattern="rfm", num_masked=1))
    assert fewer == {((left,), (right,)) for left in range(3) for right in range(3)}
    complements = drawn(side_of(three, pattern="rfm-complementary", num_masked=1))
    assert complements == {((0,), (1, 2)), ((1,), (0, 2)), ((2,), (0, 1))}
    correlated = drawn(side_of(three, pattern="cfm", num_masked=1))
    assert correlated == complements


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_what_is_kept_no_view_masks(pattern):
    found = drawn(side_of(pattern=pattern, keep=("genres",)))
    masked = {number for views in found for view in views for number in view}
    assert masked == {0, 2, 3}
    assert {len(left) for left, _ in found} == {2}


def test_placeholders_are_learned_or_zeros():
    learned, zeros = side_of(pattern="rfm"), side_of(pattern="rfm", placeholder="zeros")
    assert (len(learned.trainable_weights), len(zeros.trainable_weights)) == (4, 0)
    parts = [tf.ones([2, 4]), *[tf.ones([2, 2])] * 3]
    mask = tf.constant([True, False, True, False])
    for part, masked in zip(zeros.view(parts, mask), mask, strict=True):
        np.testing.assert_array_equal(part, np.full(part.shape, 0.0 if masked else 1.0))
    learned.trainable_weights[2].assign([3.0, 4.0])
    np.testing.assert_array_equal(learned.view(parts, mask)[2], [[3.0, 4.0]] * 2)


def test_information_over_interactions_weighs_items_by_their_counts():
    # Over the items the title tells more about the genre (.55 nats) than the decade does (.41);
    # over the interactions, 70 % of which are with the first two items, .75 against .79.
    catalog = dataclasses.replace(
        planted.make_catalog(ITEMS),
        year_index=np.asarray([1, 0, 2, 2, 2, 2], np.int32),
        titles=np.asarray([b"c", b"b", b"b", b"a", b"a", b"a"], object),
    )

    def masks(information):
        model = build(
            catalog,
            item_features=("genres", "year", "title"),
            title_min_count=1,
            ssl=SelfSupervisionConfig(pattern="cfm", information=information),
        )
        return drawn(model.self_supervision)

    both = ((1, 2), (0,))
    assert masks("items") == {((0, 2), (1,)), both}
    assert masks("interactions") == {((0, 1), (2,)), both}


def test_self_supervision_needs_features_that_the_catalog_has():
    bare = dataclasses.replace(
        planted.make_catalog(ITEMS), genres=np.zeros((ITEMS, 0), np.float32), genre_names=()
    )
    with pytest.raises(UserError, match=r"expected at least 2 that the catalog has .* got id"):
        build(bare, item_features=("id", "genres"), ssl=SelfSupervisionConfig(pattern="rfm"))


def test_the_settings_name_the_patterns_that_there_are():
    assert names_of(SelfSupervisionConfig, "pattern") == {"none", *PATTERNS}
