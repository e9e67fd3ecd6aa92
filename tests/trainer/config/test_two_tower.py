"""Rules between the two-tower options."""

import pytest

from schema.errors import UserError
from schema.settings import from_dict
from trainer.config.trainer import TrainerConfig


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
