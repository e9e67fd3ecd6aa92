"""Towers that read ordered histories, trained on all their positions at once."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import planted, small_towers
from tests.support.conformance import Conformance
from trainer.config.sequence import SEQUENCE_ENCODERS, SequenceConfig
from trainer.config.trainer import TrainerConfig
from trainer.config.two_tower import TwoTowerConfig
from trainer.data.batches import HISTORY, newest, user_tensors
from trainer.data.sequences import SequenceData
from trainer.serving.export import serving_model

SEQUENCE = SequenceConfig(heads=2, blocks=1, dropout=0.1, length_buckets=1)


def config_of(encoder, **towers):
    towers = {
        "embedding_dim": 8,
        "feature_dim": 4,
        "user_features": ("history",),
        "history_encoder": encoder,
        "history_limit": 6,
        "loss": "full_softmax",
        "sequence": SEQUENCE,
        **towers,
    }
    return TrainerConfig(
        model="two_tower",
        epochs=10,
        batch_size=16,
        learning_rate=0.02,
        patience=0,
        # Compiling takes longer than these few steps.
        jit_compile=False,
        two_tower=TwoTowerConfig(**towers),
    )


def small_model(encoder, **towers):
    section = config_of(encoder, sequence=SEQUENCE.replace(dropout=0.0), **towers)
    return small_towers.build(planted.make_catalog(6), **dict(section.section(TwoTowerConfig)))


@pytest.mark.parametrize("encoder", SEQUENCE_ENCODERS)
@pytest.mark.parametrize("features", [("history",), ("gender", "history", "id")])
def test_the_loss_of_all_positions_is_that_of_each_one_alone(encoder, features):
    model = small_model(encoder, user_features=features)
    # One longer than the windows, one that ends in an item without a vocabulary row.
    lists = [[0, 1, 2, 3, 4, 5, 1, 2, 4], [3, 1], [4, 2, 0, 5]]
    histories = planted.make_histories(lists, num_vocabulary=5)
    data = SequenceData(histories, 6, SEQUENCE.replace(windows="newest", length_buckets=1), 0)
    (batch,) = data.epoch(1, 3)
    items = model.item_embedding(tf.range(6))
    losses = []
    for user, items_of_user in enumerate(lists):
        window = items_of_user[-7:]
        for at in range(1, len(window)):
            if window[at] == 5:
                continue
            read = newest(tf.ragged.constant([window[:at]], tf.int32), 6)
            users = user_tensors(tf.constant([user]), tf.ones([1, 4], tf.int32), read)
            logits = model.score_all(model.user_embedding(users), items)[0] / model.temperature
            losses.append(-tf.nn.log_softmax(logits)[window[at]])
    np.testing.assert_allclose(model.compute_loss(batch), np.mean(losses), rtol=1e-4)


@pytest.mark.parametrize("encoder", SEQUENCE_ENCODERS)
def test_no_position_is_embedded_by_what_comes_later(encoder):
    """Interactions of one second have an order too, by which the later one is not seen."""
    model = small_model(encoder)
    rows = model.item_embedding(tf.range(6))
    history = np.asarray([[0, 1, 2, 3, 4, 5]], np.int32)
    users = user_tensors(tf.constant([0]), tf.ones([1, 4], tf.int32))

    def embedded(items):
        parts = model._users.position_parts({**users, HISTORY: tf.constant(items)}, rows, False)
        return parts[0].numpy()

    before = embedded(history)
    for place in range(6):
        changed = history.copy()
        changed[0, place] = (changed[0, place] + 1) % 6
        after = embedded(changed)
        np.testing.assert_array_equal(after[:place], before[:place])
        assert np.abs(after[place:] - before[place:]).max() > 1e-6


@pytest.mark.seconds
class TestSequenceTowers(Conformance):
    @pytest.fixture(scope="class", params=SEQUENCE_ENCODERS)
    def config(self, request):
        return config_of(request.param)

    def test_a_new_interaction_changes_the_answer_without_training(self, trained, dataset):
        serving = serving_model(trained.model, dataset, 10)
        history = [["i0", "i4", "i8"], ["i1", "i5", "i9"]]
        longer = [[*row, item] for row, item in zip(history, ("i1", "i0"), strict=True)]
        before, after = (
            serving.recommend_for_history(tf.constant(rows), tf.constant(60))
            for rows in (history, longer)
        )
        assert np.isinf(after["score"][0].numpy()).sum() == 4
        assert np.abs(after["score"][:, :5] - before["score"][:, :5]).max() > 1e-3
