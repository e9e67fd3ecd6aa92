"""Reads YAML text, whatever it holds: PyYAML lets errors of Python's own through."""

from __future__ import annotations

from typing import Any

import yaml

# Settings are seeds at the most; beyond it Python may refuse to write a number down.
_BITS = 64


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


def load(text: str) -> Any:
    """Read YAML text.

    Args:
      text: one document.

    Returns:
      Scalars, dates, lists and dicts; None of an empty document.

    Raises:
      yaml.YAMLError: it is no YAML, or a value in it is none; a MarkedYAMLError
        where that has a line.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # A safe loader.
    except RecursionError:
        raise yaml.YAMLError("nested too deep") from None


def _refusal(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
