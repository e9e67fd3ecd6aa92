"""Evaluation settings: what is refused, and what a training depends on."""

import pytest

from schema.errors import UserError
from schema.settings import from_dict, to_dict
from trainer.config.evaluation import EvaluationConfig, ProtocolConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"slices": ["gendr"]}, r"e\.slices: .*got 'gendr'; did you mean 'gender'\?"),
        ({"slices": ["gender*agegroup"]}, r"did you mean 'age_group'\?"),
        ({"slices": ["gender*gender"]}, "crosses of two different features, got 'gender\\*gender'"),
        ({"slices": ["gender*age_group*activity"]}, "crosses of two different features"),
        ({"slices": ["gender", "gender"]}, "each once, got 'gender' twice"),
        ({"protocols": {}}, "protocols: expected at least one"),
        ({"protocols": {"Full": {}}}, "lower-case letters, digits and _, got 'Full'"),
        ({"protocols": {"f": {"negatives": 5}}}, "left out with candidates=full, got 5"),
        ({"protocols": {"s": {"candidates": "sampled", "draw": "popular"}}}, "mean 'popularity'"),
        ({"more_k": [10]}, "other than k=10"),
    ],
)
def test_bad_settings_are_named(values, message):
    with pytest.raises(UserError, match=message):
        from_dict(EvaluationConfig, values, "e")


def test_settings_survive_the_round_trip():
    settings = EvaluationConfig(
        protocols={"s": ProtocolConfig(candidates="sampled", mlperf=True)},
        slices=("gender*age_group", "user_coldness", "zip_code"),
    )
    assert from_dict(EvaluationConfig, to_dict(settings)) == settings


def test_a_training_depends_on_cut_off_seed_and_its_own_protocol_alone():
    before = EvaluationConfig(k=7, seed=3)
    other = ProtocolConfig(candidates="sampled", negatives=999)
    after = before.replace(
        protocols={**before.protocols, "uni999": other},
        ties="pessimistic",
        slices=(),
        more_k=(1, 20),
    )
    assert after.for_training("full") == before.for_training("full")
    assert after.for_training("full").k == 7
    assert after.for_training("uni999").protocols == {"uni999": other}


def test_mlperf_implies_what_its_rules_say():
    plain = {"candidates": "sampled", "negatives": 999, "mlperf": True}
    full = ProtocolConfig(
        candidates="sampled", negatives=999, replacement=True, exclude="history", mlperf=True
    )
    assert from_dict(ProtocolConfig, plain) == ProtocolConfig(**plain) == full
    assert from_dict(ProtocolConfig, {**plain, "exclude": "all"}).exclude == "all"
    assert not ProtocolConfig(candidates="sampled").replacement
    with pytest.raises(UserError, match=r"replacement: expected true, or to be left out, with ml"):
        from_dict(ProtocolConfig, {**plain, "replacement": False})
