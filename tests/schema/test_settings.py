"""Mappings and unions in settings, and several keys set together."""

import dataclasses
from typing import Any

import pytest

from schema import settings
from schema.errors import UserError


@dataclasses.dataclass(frozen=True)
class Limits:
    low: float
    high: float = 9.0


@dataclasses.dataclass(frozen=True)
class Root:
    free: dict[str, tuple[Any, ...] | Limits] = dataclasses.field(default_factory=dict)
    groups: dict[str, Limits] = dataclasses.field(default_factory=lambda: {"a": Limits(1.0)})
    width: int = 2
    widths: tuple[int, ...] = (1, 1)

    def __post_init__(self) -> None:
        settings.check(len(self.widths) == self.width, f"widths: expected {self.width} of them.")


def test_a_mapping_holds_lists_or_groups_by_what_was_written():
    values = {"free": {"x.y": [1, [2]], "z": {"low": 1}}}
    root = settings.from_dict(Root, values)
    assert root.free == {"x.y": (1, [2]), "z": Limits(1.0)}
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
    assert settings.replace_at(Root(), [("groups.a.low", "2")]).groups == {"a": Limits(2.0)}
    with pytest.raises(UserError, match=r"Unknown key 'groups\.b'; valid keys there are a\."):
        settings.replace_at(Root(groups={"a": Limits(1.0)}), [("groups.b.low", "2")])


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
