"""Reads YAML text, whatever it holds, in which every key stands once.

PyYAML keeps the last of two equal keys and drops the first without a word, which
may be the bound that somebody relies on; and it lets errors of Python's own
through.
"""

from __future__ import annotations

from typing import Any

import yaml

# `<<` and `=`, which get their meaning from the mapping that they stand in.
_SPECIAL = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")
# Settings are seeds at the most; beyond it Python may refuse to write a number down.
_BITS = 64


class RepeatedKeyError(yaml.MarkedYAMLError):
    """Report a key that a mapping has twice; `problem_mark` is where it stands again."""


class _Loader(yaml.SafeLoader):
    """Construct plain values; refuse in YAML's own way those that cannot be, such as 2024-13-01."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """See yaml.constructor.BaseConstructor."""
        try:
            value = super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            kind = node.tag.rpartition(":")[2]
            raise _refusal(f"a value that is no {kind}", node) from None
        if isinstance(value, int) and value.bit_length() > _BITS:
            raise _refusal(f"a whole number of more than {_BITS} bits", node)
        return value

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            # Settings read the keys 2024 and "2024" as one.
            name = key.value if key.tag in _SPECIAL else str(self.construct_object(key))
            line = key.start_mark.line + 1
            if name in first:
                raise RepeatedKeyError(
                    problem=f"the key {name!r} stands in line {first[name]} too",
                    problem_mark=key.start_mark,
                )
            first[name] = line
        return node


def load(text: str) -> Any:
    """Read YAML text.

    Args:
      text: one document.

    Returns:
      Scalars, dates, lists and dicts; None of an empty document.

    Raises:
      RepeatedKeyError: a mapping has a key twice.
      yaml.YAMLError: it is no YAML, or a value in it is none; a MarkedYAMLError
        where that has a line.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # A safe loader.
    except RecursionError:
        raise yaml.YAMLError("nested too deep") from None


def _refusal(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
