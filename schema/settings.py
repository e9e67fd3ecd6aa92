"""Typed settings on pydantic: JSON round trip, overrides, one sentence for every mistake.

Every configuration class of the project is a Settings, so unknown keys, wrong
types and values out of range give the same kind of sentence everywhere.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError

from schema.errors import SettingError, UserError
from schema.mistakes import (
    annotations_of,
    below,
    members,
    refuse_choice,
    sentence,
    settings_in,
    unknown_key,
)

T = TypeVar("T")
S = TypeVar("S", bound="Settings")


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    return value


# Last in the annotation of a float: YAML 1.1 reads 1e-3 (no dot) as text.
READS_TEXT = BeforeValidator(_number)
Number = Annotated[float, READS_TEXT]
Positive = Annotated[float, Field(gt=0), READS_TEXT]
NonNegative = Annotated[float, Field(ge=0), READS_TEXT]
Share = Annotated[float, Field(ge=0, le=1), READS_TEXT]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1), READS_TEXT]
# Beyond these ends libraries fail when minutes are over, or turn the number into another:
# NumPy takes seeds of 32 bits, TensorFlow counts rows and draws in 32 bits with a sign.
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
PositiveCount = Annotated[int, Field(ge=1, lt=2**31)]
# Of vectors and layers; more is a slip, which a machine's memory would tell later.
Width = Annotated[int, Field(ge=1, le=2**16)]
# JSON and YAML have lists in the place of tuples, and YAML reads keys such as 2024 as numbers.
Items = Annotated[tuple[T, ...], Strict(False)]
Key = Annotated[str, BeforeValidator(str)]


class Settings(BaseModel):
    """Hold checked, immutable settings; a subclass has its fields, defaults and constraints.

    Types are taken strictly: an int is no bool and no text. A float is written
    Number (or Annotated with READS_TEXT last), a tuple Items, so that both take
    what YAML and JSON have in their place. What holds between fields is checked
    by `model_validator(mode="after")` methods, which call `check` or raise a
    SettingError.

    Raises:
      UserError: unknown key (the nearest valid one is named), wrong type, or a
        value that is refused.
    """

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    if not TYPE_CHECKING:

        def __init__(self, /, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise UserError(sentence(error, type(self))) from None

        # As pydantic's RootModel has it: without, settings inside others would be built by
        # calls of __init__, whose mistakes do not tell the whole path.
        __init__.__pydantic_base_init__ = True

    @classmethod
    def annotations(cls) -> dict[str, Any]:
        """Return what each key holds: its type, with constraints as Annotated."""
        return {name: field.rebuild_annotation() for name, field in cls.model_fields.items()}

    def replace(self: S, **changes: Any) -> S:
        """Return these settings with some keys changed, checked whole.

        Args:
          changes: values by key.

        Raises:
          UserError: an unknown key or a bad value.
        """
        return type(self)(**{**dict(self), **changes})


def to_dict(settings: Settings) -> dict[str, Any]:
    """Return settings as plain JSON-ready dicts, lists and scalars.

    Args:
      settings: any settings.
    """
    return settings.model_dump(mode="json")


def json_schema(cls: type[Settings]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what `from_dict` reads.

    Rules between several keys are not part of it.

    Args:
      cls: the settings.
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **cls.model_json_schema()}


def from_dict(cls: type[S], values: Mapping[str, Any], where: str = "") -> S:
    """Build settings of type `cls`, checking keys, types and values.

    Args:
      cls: the settings to build.
      values: what the user gave; missing keys keep their defaults.
      where: dotted path of `cls` in the whole configuration, for messages.

    Returns:
      The settings.

    Raises:
      UserError: unknown key (the nearest valid one is named), wrong type, or a
        value that is refused.
    """
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise UserError(sentence(error, cls, where)) from None


def replace_at(settings: S, assignments: Sequence[tuple[str, str]]) -> S:
    """Set dotted keys from text, as `--set a.b=text` does.

    Args:
      settings: the root.
      assignments: dotted keys, such as "trainer.learning_rate", with values as
        YAML-like text: numbers, true/false, null, [a, b]. Later ones win; what
        only holds of some of them together is checked after the last.

    Returns:
      New settings, checked whole.

    Raises:
      UserError: unknown key or a value of the wrong type.
    """
    import yaml

    from schema import yaml_text

    values = to_dict(settings)
    for path, text in assignments:
        here, key = _holder(settings, values, path)
        try:
            here[key] = yaml_text.load(text)
        except yaml_text.RepeatedKeyError as error:
            raise UserError(f"{path}: {error.problem}, expected each key once.") from None
        except yaml.YAMLError:
            raise UserError(f"{path}: cannot read the value {text!r}.") from None
    return from_dict(type(settings), values)


def replace_values(settings: S, changes: Mapping[str, Any]) -> S:
    """Set several dotted keys together.

    Args:
      settings: the root.
      changes: plain values by dotted key, such as "trainer.learning_rate"; below
        a mapping to anything but settings the rest of the path is one key.

    Returns:
      New settings, checked whole.

    Raises:
      UserError: unknown key or a value of the wrong type.
    """
    values = to_dict(settings)
    for path, value in changes.items():
        here, key = _holder(settings, values, path)
        here[key] = value
    return from_dict(type(settings), values)


def value_at(settings: Settings, path: str) -> Any:
    """Return the plain value of one dotted key.

    Args:
      settings: the root.
      path: dotted key.

    Returns:
      A scalar or a list; a dict where the key names a group.

    Raises:
      UserError: unknown key.
    """
    here, key = _holder(settings, to_dict(settings), path)
    if key not in here:
        raise UserError(unknown_key(key, here, path[: -len(key) - 1]))
    return here[key]


def check(condition: bool, message: str) -> None:
    """Raise a UserError unless `condition` holds; for validators and other checks.

    Args:
      condition: what must be true.
      message: "key: expected ..., got ..." naming the offending key first.
    """
    if not condition:
        raise SettingError(message)


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise UserError unless `value` is one of `choices`, naming the nearest.

    For choices that an annotation cannot list as a Literal.

    Args:
      name: the key.
      value: what was given.
      choices: what is allowed.
    """
    check(value in choices, f"{name}: {refuse_choice(value, choices)}")


def _holder(settings: Settings, values: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """Find the dict in `values` that holds the last key of a dotted path, and that key."""
    here, hint = values, type(settings)
    keys = path.split(".")
    for depth, key in enumerate(keys[:-1]):
        known = annotations_of(hint)
        if key in known and key not in here:
            # A model's section, where its row was added after these settings were made.
            here[key] = to_dict(known[key]())
        if not isinstance(here.get(key), dict):
            groups = [name for name, value in here.items() if isinstance(value, dict)]
            raise UserError(unknown_key(key, groups, ".".join(keys[:depth])))
        here, hint = here[key], below(hint, key)
        if typing.get_origin(hint) is dict and not _is_group(below(hint, "")):
            return here, ".".join(keys[depth + 1 :])
    return here, keys[-1]


def _is_group(hint: Any) -> bool:
    return all(settings_in(kind) for kind in members(hint))
