import pytest

from pipeline.config.run import FORMATS
from pipeline.datasets.synthetic_config import FORMAT, MAX_GROUPS, SyntheticConfig, parse
from pipeline.datasets.synthetic_entities import GENRES
from schema.errors import UserError

SMALL = SyntheticConfig(users=20, items=30, interactions=100)


def test_keys_may_come_in_any_order_and_digits_in_groups():
    text = "synthetic:seed=3, interactions=25_000_000,items=60000,users=160000,affinity=.5"
    expected = SyntheticConfig(
        users=160_000, items=60_000, interactions=25_000_000, affinity=0.5, seed=3
    )
    assert parse(text) == expected


def test_the_text_of_parameters_gives_them_back():
    config = SMALL.replace(groups=3, affinity=0.25, skew=1.5, seed=9)
    assert parse(config.text) == config


@pytest.mark.parametrize(
    "change",
    [
        *({"users": 21}, {"items": 31}, {"interactions": 101}, {"groups": 7}),
        *({"affinity": 0.6}, {"skew": 0.7}, {"seed": 1}),
    ],
)
def test_every_parameter_changes_the_name(change):
    assert SMALL.replace(**change).name != SMALL.name
    assert SMALL.name.startswith("synthetic-20-30-100-")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected KEY=VALUE pairs with commas between, got ''"),
        ("users=2;items=3", "users: expected an integer, got '2;items=3'"),
        ("users=2,items=9,", "expected KEY=VALUE pairs with commas between, got ''"),
        ("user=2", "key: expected one of users, .*, got 'user'; did you mean 'users'"),
        ("users=2,users=2", "users: given twice"),
        ("users=2", "expected users, items, interactions; items and interactions missing"),
        ("users=2,items=x,interactions=6", "items: expected an integer, got 'x'"),
        ("users=2,items=9,interactions=6,affinity=x", "affinity: expected a number, got 'x'"),
        ("users=0,items=9,interactions=6", "users: expected at least 1, got 0"),
        ("users=2,items=2,interactions=6", "items: expected at least 3, .*, got 2"),
        ("users=2,items=9,interactions=5", "interactions: expected 6 to 18 with 2 users .* got 5"),
        ("users=2,items=9,interactions=19", "interactions: expected 6 to 18 with .* got 19"),
        ("users=2,items=5,interactions=6", "groups: expected 1 to 5 with 5 items, got 8"),
        ("users=2,items=99,interactions=6,groups=19", "groups: expected 1 to 18 with .* got 19"),
        ("users=2,items=9,interactions=6,affinity=1", r"affinity: expected in \[0, 1\), got 1"),
        ("users=2,items=9,interactions=6,affinity=nan", "affinity: .* got nan"),
        ("users=2,items=9,interactions=6,skew=-1", r"skew: expected in \[0, 5\], got -1"),
        ("users=2,items=9,interactions=6,seed=-1", "seed: expected 0 or more, got -1"),
    ],
)
def test_a_mistake_is_one_sentence(text, message):
    with pytest.raises(UserError, match=f"^synthetic: {message}") as caught:
        parse(f"synthetic:{text}")
    assert "\n" not in str(caught.value)


def test_there_are_genres_for_the_most_groups_and_an_adapter_for_the_layout():
    assert len(set(GENRES)) == MAX_GROUPS
    assert FORMAT in FORMATS
