"""Turns pydantic's errors into one sentence: the key, what was expected there, what was given.

The key's annotation tells what pydantic's error leaves out: both ends of a
range, whether null is allowed, the choices, and the nearest key.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
import reprlib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

# Of a location: which member of a union was tried, or that a mapping's key is meant.
_TAG = re.compile(r"\[|literal\[|(str|int|float|bool)$")
_KINDS = {
    "int_type": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_BOUNDS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
_SIGNS = {Gt: ">", Le: "<=", Lt: "<"}
_UNKNOWN = ("extra_forbidden", "invalid_key")

# Of what was given: all of it but where it is huge, as aliases of YAML make it in few bytes.
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict = 3, 20, 20
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 200


class _Mistake(NamedTuple):
    kind: str
    location: tuple[str | int, ...]
    given: Any
    message: str
    details: Mapping[str, Any]


def sentence(error: ValidationError, root: type[BaseModel], where: str = "") -> str:
    """Tell the first mistake that pydantic found.

    Args:
      error: what pydantic raised.
      root: the settings (schema.settings.Settings) that were to be built.
      where: dotted path of `root` in the whole configuration.

    Returns:
      One sentence that starts with the dotted key.
    """
    mistakes = list(_mistakes(error))
    # A misspelt key also lets the right one be missing.
    first = next((it for it in mistakes if it.kind in _UNKNOWN), mistakes[0])
    hints = [root, *_hints(root, first.location)]
    group, path = _dotted(where, first.location[:-1]), _dotted(where, first.location)
    if first.kind in _UNKNOWN:
        return unknown_key(str(first.location[-1]), annotations_of(hints[-2]), group)
    if first.kind == "missing":
        others = [it for it in mistakes if it.kind == first.kind and it.given == first.given]
        missing = " and ".join(str(it.location[-1]) for it in others)
        given = _SHORT.repr(first.given)
        return f"{group or 'configuration'}: expected {missing} too, got {given}."
    if first.kind == "value_error":
        # What holds between the fields of a group tells the key itself.
        join = "." if settings_in(hints[-1]) else ": "
        return f"{path}{join if path else ''}{first.message}"
    return f"{path or 'configuration'}: {_refusal(first, hints)}"


def unknown_key(key: str, known: Iterable[str], where: str) -> str:
    """Refuse a key and name the nearest known one.

    Args:
      key: what was given.
      known: the keys of the same group.
      where: dotted path of the group; empty for the root.

    Returns:
      The sentence.
    """
    prefix, names = f"{where}." if where else "", list(known)
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.4)
    if close:
        return f"Unknown key '{prefix}{key}'; did you mean '{prefix}{close[0]}'?"
    return f"Unknown key '{prefix}{key}'; valid keys there are {', '.join(sorted(names))}."


def refuse_choice(value: Any, choices: Sequence[Any]) -> str:
    """Refuse a value and name the choices, the nearest of them in particular.

    Args:
      value: what was given.
      choices: what is allowed.

    Returns:
      The sentence without the key.
    """
    given = _SHORT.repr(value)
    told = value if isinstance(value, str) else given
    close = difflib.get_close_matches(told, [str(choice) for choice in choices], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"expected one of {', '.join(map(str, choices))}, got {given}{hint}"


def annotations_of(hint: Any) -> dict[str, Any]:
    """Return the annotations of the settings that a value of type `hint` may be."""
    kind: Any = settings_in(hint)
    return kind.annotations() if kind else {}


def settings_in(hint: Any) -> type[BaseModel] | None:
    """Return the class of settings among what `hint` allows, if there is one."""
    classes = (kind for kind in members(hint) if inspect.isclass(kind) and not get_origin(kind))
    return next((kind for kind in classes if issubclass(kind, BaseModel)), None)


def members(hint: Any) -> Iterator[Any]:
    """Yield the types that a hint allows, without what Annotated adds and without unions."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        yield from members(arguments[0])
    elif origin in (typing.Union, types.UnionType):
        for argument in arguments:
            yield from members(argument)
    else:
        yield hint


def below(hint: Any, key: str | int) -> Any:
    """Return the type of what a value of type `hint` holds under a key or at an index."""
    known = annotations_of(hint)
    if key in known:
        return known[str(key)]
    for kind in members(hint):
        if get_origin(kind) in (dict, tuple):
            return get_args(kind)[0 if isinstance(key, int) else 1]
    return None


def _dotted(where: str, location: Iterable[str | int]) -> str:
    # An item of a list goes by the list's key.
    parts = (part for part in location if isinstance(part, str))
    return ".".join(filter(None, [where, *parts]))


def _mistakes(error: ValidationError, above: tuple[str | int, ...] = ()) -> Iterator[_Mistake]:
    for found in error.errors(include_url=False):
        location = above + tuple(part for part in found["loc"] if not _TAG.match(str(part)))
        details = found.get("ctx", {})
        cause = details.get("error")
        if isinstance(cause, ValidationError):
            # A validator that reads part of the values by settings of its own.
            yield from _mistakes(cause, location)
        else:
            message = found["msg"] if cause is None else str(cause)
            yield _Mistake(found["type"], location, found["input"], message, details)


def _hints(root: Any, location: Iterable[str | int]) -> Iterator[Any]:
    hint = root
    for part in location:
        hint = below(hint, part)
        yield hint


def _refusal(mistake: _Mistake, hints: Sequence[Any]) -> str:
    given = _SHORT.repr(mistake.given)
    if mistake.kind in _KINDS:
        return f"expected {_KINDS[mistake.kind]}, got {given}."
    if mistake.kind == "literal_error":
        return refuse_choice(mistake.given, _choices(hints[-1]))
    if mistake.kind in _BOUNDS:
        each = "each " if mistake.location and isinstance(mistake.location[-1], int) else ""
        return f"expected {each}{_range(hints[-1], mistake.kind)}, got {given}."
    if mistake.kind == "too_short":
        least = _length(mistake.details["min_length"], hints[-1])
        return f"expected {least}, got {_SHORT.repr(list(mistake.given))}."
    return f"{mistake.message[:1].lower()}{mistake.message[1:]}, got {given}."


def _length(least: int, hint: Any) -> str:
    """Say what a list holds at least, such as "at least 2 values, each > 0"."""
    item = below(hint, 0)
    number, choices = "one" if least == 1 else str(least), _choices(item)
    if choices:
        return f"at least {number} of {', '.join(map(str, choices))}"
    each = f", each {_range(item)}" if any(_bounds(item)) else ""
    return f"at least {number} value{'s' * (least > 1)}{each}"


def _choices(hint: Any) -> list[Any]:
    literals = (kind for kind in members(hint) if get_origin(kind) is Literal)
    return [choice for kind in literals for choice in get_args(kind)]


def _range(hint: Any, broken: str | None = None) -> str:
    """Say what the bounds of a number allow, such as "> 0" or "in [0, 1) or null".

    Of a whole number only the end that was passed, `broken` as pydantic calls it: the
    other one is far away.
    """
    kinds = set(members(hint))
    bounds: dict[type, Any] = {type(it): dataclasses.astuple(it)[0] for it in _bounds(hint)}
    if int in kinds and len(bounds) == 2:
        upper = broken is not None and broken.startswith("less")
        bounds = {it: end for it, end in bounds.items() if (it in (Le, Lt)) == upper}
    null = " or null" if type(None) in kinds else ""
    if set(bounds) == {Gt, Lt}:
        return f"between {bounds[Gt]} and {bounds[Lt]}{null}"
    if len(bounds) == 2:
        start = f"[{bounds[Ge]}" if Ge in bounds else f"({bounds[Gt]}"
        end = f"{bounds[Le]}]" if Le in bounds else f"{bounds[Lt]})"
        return f"in {start}, {end}{null}"
    ((kind, bound),) = bounds.items()
    if int in kinds and kind in (Gt, Lt):
        kind, bound = (Ge, bound + 1) if kind is Gt else (Le, bound - 1)
    if kind is Ge:
        return f"{bound} or more{null}" if bound == 0 else f"at least {bound}{null}"
    if kind is Le and int in kinds:
        return f"at most {bound}{null}"
    return f"{_SIGNS[kind]} {bound}{null}"


def _bounds(hint: Any) -> Iterator[Ge | Gt | Le | Lt]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        yield from _bounds(arguments[0])
        for it in arguments[1:]:
            found = it.metadata if isinstance(it, FieldInfo) else (it,)
            yield from (bound for bound in found if isinstance(bound, Ge | Gt | Le | Lt))
    elif origin in (typing.Union, types.UnionType):
        for argument in arguments:
            yield from _bounds(argument)
