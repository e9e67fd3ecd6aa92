"""Types, bounds, mappings and unions in settings, and several keys set together."""

from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import (
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveInt,
    Strict,
    Tag,
    model_validator,
)

from pipeline.config.cluster import ClusterConfig
from pipeline.config.run import RunConfig
from schema import settings
from schema.errors import UserError
from schema.mistakes import settings_in
from schema.settings import (
    READS_TEXT,
    Items,
    Key,
    NonNegative,
    Number,
    Positive,
    Settings,
    Share,
    ShareBelowOne,
)


class Limits(Settings):
    low: Number
    high: Number = 9.0


Form = Annotated[
    Annotated[Items[Any], Tag("[list]")] | Annotated[Limits, Tag("[limits]")],
    Discriminator(lambda value: "[limits]" if isinstance(value, dict | Limits) else "[list]"),
]


class Root(Settings):
    free: dict[Key, Form] = Field(default_factory=dict)
    groups: dict[Key, Limits] = Field(default_factory=lambda: {"a": Limits(low=1.0)})
    width: int = 2
    widths: Items[int] = (1, 1)

    @model_validator(mode="after")
    def _check(self):
        settings.check(len(self.widths) == self.width, f"widths: expected {self.width} of them.")
        return self


def test_a_mapping_holds_lists_or_groups_by_what_was_written():
    values = {"free": {"x.y": [1, [2]], "z": {"low": 1}}}
    root = settings.from_dict(Root, values)
    assert root.free == {"x.y": (1, [2]), "z": Limits(low=1.0)}
    assert settings.to_dict(root)["free"] == {"x.y": [1, [2]], "z": {"low": 1.0, "high": 9.0}}
    assert settings.from_dict(Root, settings.to_dict(root)) == root


def test_keys_that_depend_on_each_other_are_set_together():
    changed = settings.replace_values(Root(), {"width": 3, "widths": [1, 2, 3]})
    assert changed == Root(width=3, widths=(1, 2, 3))
    with pytest.raises(UserError, match="widths: expected 3 of them"):
        settings.replace_values(Root(), {"width": 3})


def test_the_rest_of_a_path_below_a_mapping_is_one_key_unless_groups_lie_there():
    root = settings.replace_at(Root(), [("free.x.y", "[1, 2]")])
    assert root.free == {"x.y": (1, 2)}
    assert settings.value_at(root, "free.x.y") == [1, 2]
    assert settings.replace_at(Root(), [("groups.a.low", "2")]).groups == {"a": Limits(low=2.0)}
    with pytest.raises(UserError, match=r"Unknown key 'groups\.b'; valid keys there are a\."):
        settings.replace_at(Root(groups={"a": Limits(low=1.0)}), [("groups.b.low", "2")])


def test_values_are_read_by_key_and_an_unknown_one_names_the_nearest():
    assert settings.value_at(Root(), "widths") == [1, 1]
    assert settings.value_at(Root(), "groups.a.high") == 9.0
    with pytest.raises(
        UserError, match=r"Unknown key 'groups\.a\.hihg'; did you mean 'groups\.a\.high'"
    ):
        settings.value_at(Root(), "groups.a.hihg")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"free": {"x": {"high": 1}}}, "free.x: expected low too, got {'high': 1}."),
        ({"free": {"x": 3}}, "free.x: expected a list, got 3."),
        ({"free": [3]}, "free: expected a mapping, got [3]."),
        ({"groups": {"a": 3}}, "groups.a: expected a mapping, got 3."),
    ],
)
def test_a_wrong_shape_is_told_with_its_key(values, message):
    with pytest.raises(UserError) as caught:
        settings.from_dict(Root, values)
    assert str(caught.value) == message


class Bounds(Settings):
    count: PositiveInt = 1
    seed: NonNegativeInt = 0
    many: Annotated[int, Field(ge=2)] = 2
    rate: Positive = 1.0
    l2: NonNegative = 0.0
    share: Share = 0.0
    dropout: ShareBelowOne = 0.0
    part: Annotated[float, Field(gt=0, lt=1), READS_TEXT] = 0.5
    decay: Annotated[float, Field(gt=0, le=1), READS_TEXT] | None = None
    low: Annotated[float, Field(le=3), READS_TEXT] = 0.0
    below: Annotated[float, Field(lt=3), READS_TEXT] = 0.0
    plain: Number | None = None
    name: str | None = None
    flag: bool = False
    loss: Literal["softmax", "bpr"] = "bpr"
    widths: Annotated[Items[PositiveInt], Field(min_length=2)] = (1, 1)
    names: Annotated[Items[Literal["id", "year"]], Field(min_length=1)] = ("id",)
    labels: dict[Key, str] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "count: expected at least 1, got 0."),
        ({"count": 1.0}, "count: expected an integer, got 1.0."),
        ({"count": True}, "count: expected an integer, got True."),
        ({"count": "1"}, "count: expected an integer, got '1'."),
        ({"count": None}, "count: expected an integer, got None."),
        ({"seed": -1}, "seed: expected 0 or more, got -1."),
        ({"many": 1}, "many: expected at least 2, got 1."),
        ({"rate": 0}, "rate: expected > 0, got 0."),
        ({"rate": "0"}, "rate: expected > 0, got 0.0."),
        ({"rate": True}, "rate: expected a number, got True."),
        ({"rate": "fast"}, "rate: expected a number, got 'fast'."),
        ({"l2": -0.5}, "l2: expected 0 or more, got -0.5."),
        ({"share": 1.5}, "share: expected in [0, 1], got 1.5."),
        ({"dropout": 1.0}, "dropout: expected in [0, 1), got 1.0."),
        ({"part": 1.0}, "part: expected between 0 and 1, got 1.0."),
        ({"decay": 0.0}, "decay: expected in (0, 1] or null, got 0.0."),
        ({"low": 4.0}, "low: expected <= 3, got 4.0."),
        ({"below": 3.0}, "below: expected < 3, got 3.0."),
        ({"name": 3}, "name: expected text, got 3."),
        ({"flag": 1}, "flag: expected true or false, got 1."),
        ({"flag": "yes"}, "flag: expected true or false, got 'yes'."),
        ({"loss": "sftmax"}, "loss: expected one of softmax, bpr, got 'sftmax'; did you mean"),
        ({"loss": False}, "loss: expected one of softmax, bpr, got False."),
        ({"widths": [1]}, "widths: expected at least 2 values, each at least 1, got [1]."),
        ({"widths": [1, 0]}, "widths: expected each at least 1, got 0."),
        ({"widths": "11"}, "widths: expected a list, got '11'."),
        ({"widths": [1, "a"]}, "widths: expected an integer, got 'a'."),
        ({"names": []}, "names: expected at least one of id, year, got []."),
        ({"names": ["yaer"]}, "names: expected one of id, year, got 'yaer'; did you mean 'year'?"),
        ({"labels": {"a": 1}}, "labels.a: expected text, got 1."),
        ({1: 2}, "Unknown key '1'; valid keys there are below, count, decay, dropout, flag, l2, "),
        (["count"], "configuration: expected a mapping, got ['count']."),
    ],
)
def test_a_bad_value_is_told_with_its_key_and_what_was_expected(values, message):
    with pytest.raises(UserError) as caught:
        settings.from_dict(Bounds, values)
    assert str(caught.value).startswith(message)
    with pytest.raises(UserError) as caught:
        settings.from_dict(Bounds, values, "root")
    assert "root: " in str(caught.value) or "root." in str(caught.value)


def test_values_are_read_as_yaml_and_json_write_them():
    values = {"rate": "1e-3", "l2": 3, "plain": "2", "widths": [1, 2], "labels": {2024: "a"}}
    bounds = settings.from_dict(Bounds, values)
    assert (bounds.rate, bounds.l2, bounds.plain, bounds.widths) == (0.001, 3.0, 2.0, (1, 2))
    assert isinstance(bounds.l2, float)
    assert bounds.labels == {"2024": "a"}
    assert settings.to_dict(bounds)["widths"] == [1, 2]


@pytest.mark.parametrize("number", ["inf", "-.inf", ".nan", "nan", "1e999"])
def test_numbers_are_finite(number):
    with pytest.raises(UserError, match=r"^trainer\.learning_rate: expected (a finite number|> 0)"):
        settings.replace_at(RunConfig(), [("trainer.learning_rate", number)])


def test_what_was_given_is_told_in_short_where_it_is_huge():
    names = "abcdefgh"
    lists = [f"&{b} [{', '.join(9 * [f'*{a}'])}]" for a, b in zip("0" + names, names, strict=False)]
    text = f"[&0 [1], {', '.join(lists)}]"
    with pytest.raises(UserError, match=r"^trainer\.epochs: expected an integer, got \[") as caught:
        settings.replace_at(RunConfig(), [("trainer.epochs", text)])
    assert len(str(caught.value)) < 10_000


def _parts(hint, added=()):
    """Every type within a hint, with what Annotated adds to it."""
    if get_origin(hint) is Annotated:
        kind, *more = get_args(hint)
        yield from _parts(kind, (*added, *more))
    else:
        yield hint, added
        for kind in get_args(hint) if get_origin(hint) is not Literal else ():
            yield from _parts(kind)


def _classes(cls):
    yield cls
    for hint in cls.annotations().values():
        for kind, _ in _parts(hint):
            if settings_in(kind) is kind:
                yield from _classes(kind)


@pytest.mark.parametrize(("root", "groups"), [(RunConfig, 20), (ClusterConfig, 6)])
def test_every_number_takes_text_and_every_tuple_a_list(root, groups):
    classes = set(_classes(root))
    assert len(classes) >= groups
    for cls in classes:
        for key, hint in cls.annotations().items():
            for kind, added in _parts(hint):
                where = f"{cls.__name__}.{key}"
                assert kind is not float or READS_TEXT in added, where
                assert get_origin(kind) is not tuple or Strict(False) in added, where
