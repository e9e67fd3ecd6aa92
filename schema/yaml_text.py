"""Reads YAML in which every key stands once.

PyYAML keeps the last of two equal keys and drops the first without a word, which
may be the bound that somebody relies on.
"""

from __future__ import annotations

from typing import Any

import yaml

# `<<` and `=`, which get their meaning from the mapping that they stand in.
_SPECIAL = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")


class RepeatedKeyError(yaml.MarkedYAMLError):
    """Report a key that a mapping has twice; `problem_mark` is where it stands again."""


class _Loader(yaml.SafeLoader):
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
    """Read a YAML document of plain values.

    Args:
      text: the document.

    Returns:
      Dicts, lists and scalars; None for an empty document.

    Raises:
      RepeatedKeyError: a mapping has a key twice.
      yaml.YAMLError: the text is not YAML.
    """
    return yaml.load(text, _Loader)
