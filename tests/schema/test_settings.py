"""Mappings and unions in settings, and several keys set together."""

from typing import Annotated, Any

import pytest
from pydantic import Discriminator, Field, Tag, model_validator

from schema import settings
from schema.errors import UserError
from schema.settings import Items, Key, Number, Settings


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
