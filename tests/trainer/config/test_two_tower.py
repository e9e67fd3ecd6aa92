"""Rules between the two-tower options."""

import pytest

from schema.errors import UserError
from schema.settings import from_dict
from trainer.config.trainer import TrainerConfig

_SEQUENCE = {
    "history_encoder": "sasrec",
    "user_features": ["history"],
    "loss": "full_softmax",
}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"loss": "hinge"}, "two_tower.loss: expected one of softmax, full_softmax, cross_entropy"),
        ({"user_features": ["gendr"]}, "did you mean 'gender'"),
        ({"item_features": []}, "item_features: expected at least one of id, genres"),
        ({"item_features": ["id", "id"]}, "item_features: expected each name once"),
        (
            {"user_features": ["history"], "item_features": ["year"]},
            "item_features must hold id, got",
        ),
        (
            {"loss": "bpr", "softmax": {"logq": "streaming"}},
            "softmax: its settings apply to the loss softmax only, got loss 'bpr'",
        ),
        (
            {"loss": "bpr", "ssl": {"pattern": "cfm"}},
            "ssl.pattern: 'cfm' needs the loss softmax, got 'bpr'",
        ),
        (
            {"item_features": ["id"], "ssl": {"pattern": "rfm"}},
            "expected two or more item_features that ssl.keep does not name, got ['id']",
        ),
        (
            {"ssl": {"pattern": "rfm", "keep": ["genres", "year"]}},
            "two or more item_features that ssl.keep does not name, got ['id']",
        ),
        (
            {"ssl": {"pattern": "rfm", "keep": ["title"]}},
            "ssl.keep: expected some of item_features, ['id', 'genres', 'year'], got ['title']",
        ),
        (
            {"ssl": {"pattern": "cfm", "num_masked": 3}},
            "ssl.num_masked: expected fewer than the 3 item features that may be masked, got 3",
        ),
        ({"ssl": {"pattern": "rfm-complement"}}, "did you mean 'rfm-complementary'"),
        ({"softmax": {"streaming_rate": 0.0}}, "streaming_rate: expected in (0, 1], got 0.0"),
        ({"softmax": {"hard_negatives": -1}}, "hard_negatives: expected 0 or more, got -1"),
        ({"margin": 0.0}, "margin: expected > 0, got 0.0"),
        ({"history_limit": 0}, "history_limit: expected at least 1, got 0"),
        (
            {"history_encoder": "hstu", "loss": "full_softmax"},
            "history_encoder: 'hstu' reads the history, so user_features must hold history",
        ),
        (
            {"history_encoder": "gru", "user_features": ["history"]},
            "history_encoder: 'gru' is trained with the loss full_softmax, got 'softmax'",
        ),
        ({**_SEQUENCE, "batch_norm": True}, "batch_norm: expected false with history_encoder"),
        (
            {**_SEQUENCE, "sequence": {"heads": 3}},
            "sequence.heads: expected a divisor of the towers' width 64, got 3",
        ),
        ({**_SEQUENCE, "sequence": {"windows": "oldest"}}, "expected one of random, newest"),
    ],
)
def test_options_that_do_not_fit_give_one_sentence(settings, sentence):
    with pytest.raises(UserError) as error:
        from_dict(TrainerConfig, {"two_tower": settings}, "trainer")
    assert sentence in str(error.value)
    assert str(error.value).startswith("trainer.two_tower.")


def test_samplers_belong_to_losses_that_sample():
    with pytest.raises(UserError, match="softmax of two_tower samples no negatives"):
        from_dict(TrainerConfig, {"model": "two_tower", "sampler": "popular"})
    config = {"model": "two_tower", "sampler": "popular", "two_tower": {"loss": "bpr"}}
    assert from_dict(TrainerConfig, config).sampler == "popular"
    assert from_dict(TrainerConfig, {"model": "neumf", "sampler": "random"}).sampler == "random"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"model": "multi_task"},
            "model: expected two_tower with two_tower.history_encoder sasrec, which learns from "
            "whole histories and not from ratings, got 'multi_task'",
        ),
        (
            {"model": "two_tower", "strategy": "parameter_server"},
            "strategy: expected another one with two_tower.history_encoder sasrec",
        ),
    ],
)
def test_what_cannot_learn_from_whole_histories_is_refused(settings, sentence):
    with pytest.raises(UserError) as error:
        from_dict(TrainerConfig, {**settings, "two_tower": _SEQUENCE}, "trainer")
    assert sentence in str(error.value)
    # Of other models the section is not read.
    from_dict(TrainerConfig, {"model": "neumf", "two_tower": _SEQUENCE}, "trainer")


def test_workers_with_steps_of_their_own_average_no_weights():
    settings = {"strategy": "parameter_server", "optimizer": {"average_decay": 0.9}}
    with pytest.raises(UserError, match="average_decay: expected 0 with the strategy"):
        from_dict(TrainerConfig, settings, "trainer")
