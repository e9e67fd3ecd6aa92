"""Typed settings as frozen dataclasses: JSON round trip, overrides, checks.

Every configuration dataclass of the project goes through here, so unknown keys,
wrong types and values out of range give the same kind of sentence everywhere.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from schema.errors import UserError

T = TypeVar("T")


def to_dict(settings: Any) -> dict[str, Any]:
    """Plain JSON-ready dict of a settings dataclass; tuples become lists.

    Args:
      settings: an instance of a frozen dataclass.

    Returns:
      Nested dicts, lists and scalars.
    """

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, (tuple, list)):
            return [plain(item) for item in value]
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return value

    result = plain(settings)
    assert isinstance(result, dict)
    return result


def from_dict(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Builds settings of type `cls`, checking keys and types on the way.

    Args:
      cls: the dataclass to build.
      values: what the user gave; missing keys keep their defaults.
      where: dotted path of `cls` in the whole configuration, for messages.

    Returns:
      The settings; `cls.__post_init__` has checked its ranges.

    Raises:
      UserError: unknown key (the nearest valid one is named), wrong type, or a
        value that the dataclass refuses.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{where or 'configuration'}: expected a mapping, got {values!r}.")
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    arguments = {}
    for key, value in values.items():
        path = f"{where}.{key}" if where else str(key)
        if key not in names:
            raise UserError(f"Unknown key '{path}'{_nearest(str(key), names, where)}")
        arguments[key] = _coerce(hints[key], value, path)
    missing = [name for name in _required(cls) if name not in arguments]
    if missing:
        raise UserError(f"{where}: expected {' and '.join(missing)} too, got {dict(values)}.")
    try:
        return cls(**arguments)
    except UserError as error:
        raise UserError(f"{where}.{error}" if where else str(error)) from None


def replace_at(settings: T, assignments: Sequence[tuple[str, str]]) -> T:
    """Settings with dotted keys set from text, as `--set a.b=text` does.

    Args:
      settings: the root dataclass.
      assignments: dotted keys, such as "trainer.learning_rate", with values as
        YAML-like text: numbers, true/false, null, [a, b]. Later ones win; what
        only holds of some of them together is checked after the last.

    Returns:
      New settings, checked whole.

    Raises:
      UserError: unknown key or a value of the wrong type.
    """
    import yaml

    values = to_dict(settings)
    for path, text in assignments:
        here, key = _holder(settings, values, path)
        try:
            here[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise UserError(f"{path}: cannot read the value {text!r}.") from None
    return from_dict(type(settings), values)


def replace_values(settings: T, changes: Mapping[str, Any]) -> T:
    """Settings with several dotted keys set together.

    Args:
      settings: the root dataclass.
      changes: plain values by dotted key, such as "trainer.learning_rate"; below
        a mapping to anything but dataclasses the rest of the path is one key.

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


def value_at(settings: Any, path: str) -> Any:
    """The plain value of one dotted key.

    Args:
      settings: the root dataclass.
      path: dotted key.

    Returns:
      A scalar or a list; a dict where the key names a group.

    Raises:
      UserError: unknown key.
    """
    here, key = _holder(settings, to_dict(settings), path)
    if key not in here:
        raise UserError(f"Unknown key '{path}'{_nearest(key, list(here), path[: -len(key) - 1])}")
    return here[key]


def check(condition: bool, message: str) -> None:
    """Raises UserError(message) unless `condition` holds; for `__post_init__`.

    Args:
      condition: what must be true.
      message: "key: expected ..., got ..." naming the offending key first.
    """
    if not condition:
        raise UserError(message)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises UserError unless `value` is one of `choices`, naming the nearest.

    Args:
      name: the key.
      value: what was given.
      choices: what is allowed.
    """
    if value not in choices:
        close = difflib.get_close_matches(str(value), choices, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise UserError(f"{name}: expected one of {', '.join(choices)}, got {value!r}{hint}")


def _holder(settings: Any, values: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """The dict in `values` that holds the last key of a dotted path, and that key."""
    here, node = values, settings
    keys = path.split(".")
    for depth, key in enumerate(keys[:-1]):
        if not isinstance(here.get(key), dict):
            where = ".".join(keys[:depth])
            names = [k for k, v in here.items() if isinstance(v, dict)]
            full = ".".join(keys[: depth + 1])
            raise UserError(f"Unknown key '{full}'{_nearest(key, names, where)}")
        if dataclasses.is_dataclass(node):
            hint = typing.get_type_hints(type(node))[key]
            here, node = here[key], getattr(node, key)
            if _takes_any_key(hint):
                return here, ".".join(keys[depth + 1 :])
        else:
            here, node = here[key], node[key]
    return here, keys[-1]


def _takes_any_key(hint: Any) -> bool:
    return typing.get_origin(hint) is dict and not dataclasses.is_dataclass(
        typing.get_args(hint)[1]
    )


def _required(cls: Any) -> list[str]:
    missing = dataclasses.MISSING
    fields = dataclasses.fields(cls)
    return [f.name for f in fields if f.default is missing and f.default_factory is missing]


def _nearest(key: str, names: list[str], where: str) -> str:
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.4)
    prefix = f"{where}." if where else ""
    if close:
        return f"; did you mean '{prefix}{close[0]}'?"
    return f"; valid keys there are {', '.join(sorted(names))}."


def _coerce(hint: Any, value: Any, path: str) -> Any:
    """Checks `value` against the type `hint`, converting what JSON cannot hold."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in typing.get_args(hint):
            return None
        options = [a for a in typing.get_args(hint) if a is not type(None)]
        # Of several types at most one reads a mapping; it comes last.
        return _coerce(options[-1 if isinstance(value, Mapping) else 0], value, path)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, path)  # type: ignore[arg-type]
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise UserError(f"{path}: expected a list, got {value!r}.")
        inner = typing.get_args(hint)[0]
        return tuple(_coerce(inner, item, path) for item in value)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise UserError(f"{path}: expected a mapping, got {value!r}.")
        inner = typing.get_args(hint)[1]
        return {str(key): _coerce(inner, item, f"{path}.{key}") for key, item in value.items()}
    return _coerce_scalar(hint, value, path)


def _coerce_scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is float and isinstance(value, str):
        # YAML 1.1 reads 1e-3 (no dot) as text.
        try:
            return float(value)
        except ValueError:
            pass
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if hint in (bool, str) and isinstance(value, hint):
        return value
    article = {"int": "an integer", "float": "a number", "bool": "true or false", "str": "text"}
    raise UserError(f"{path}: expected {article[hint.__name__]}, got {value!r}.")
