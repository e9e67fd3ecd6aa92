"""Starts a training from the weights of an exported model over other vocabularies.

Vocabularies follow frequency, so an id's row moves from one data set to the
next: rows are carried over by raw id, all else as it is. Called by
trainer.training.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any

import numpy as np

from schema.errors import UserError
from trainer.base_model import (
    BaseModel,
    Described,
    Vocabulary,
    describe,
    model_settings,
    vocabularies_of,
)
from trainer.config import TrainerConfig
from trainer.data import Dataset
from trainer.models.base import Recommender

# Counts of a vocabulary's entries, and of variables.
CARRIED, NEW, DROPPED = "carried", "new", "dropped"
COPIED, BY_ROW, INITIALIZED = "copied", "by_row", "initialized"


class WarmStart:
    """Gives built models the weights of a base model.

    An entry that the base lacks keeps its initial row, and the optimizer starts
    afresh. Rows for what is unknown are carried over where both models have as
    many.

    Args:
      base: to start from; None where there is none yet: models then keep their
        own weights.
      config: of the training.
      dataset: of the training.
    """

    def __init__(self, base: BaseModel | None, config: TrainerConfig, dataset: Dataset) -> None:
        self._base = base
        self._config = config
        self._dataset = dataset
        self._rows: dict[str, dict[str, int]] = {}
        self._variables = {COPIED: 0, BY_ROW: 0, INITIALIZED: 0}

    @property
    def cold(self) -> bool:
        """Whether there is nothing to start from."""
        return self._base is None

    def __call__(self, model: Recommender) -> None:
        """Puts the base's weights into a model.

        Args:
          model: built for the dataset.

        Raises:
          UserError: the base has another architecture.
        """
        base = self._base
        if base is None:
            return
        described = describe(model)
        self._check(base, described)
        vocabularies = vocabularies_of(described, self._config, self._dataset)
        counts: collections.Counter[str] = collections.Counter()
        for variable, one, value in zip(model.variables, described, base.values, strict=True):
            if one.state:
                counts[INITIALIZED] += 1
            elif one.rows is None:
                variable.assign(value)
                counts[COPIED] += 1
            else:
                old, new = base.vocabularies[one.rows], vocabularies[one.rows]
                variable.assign(carried(value, old, variable.numpy(), new))
                counts[BY_ROW] += 1
        self._variables = {name: counts[name] for name in self._variables}
        self._rows = {
            name: _count(base.vocabularies[name], new) for name, new in sorted(vocabularies.items())
        }

    def report(self) -> dict[str, Any]:
        """What was carried over into the last model, JSON-ready.

        Returns:
          `base_model`, its folder or None; `rows`, by vocabulary the numbers of
          entries CARRIED, NEW and DROPPED; `variables`, the numbers COPIED,
          carried BY_ROW and INITIALIZED.
        """
        return {
            "base_model": self._base.uri if self._base else None,
            "rows": self._rows,
            "variables": self._variables,
        }

    def _check(self, base: BaseModel, described: tuple[Described, ...]) -> None:
        theirs = [(v.name, v.width, v.rows, v.state) for v in base.variables]
        ours = [(v.name, v.width, v.rows, v.state) for v in described]
        if theirs == ours:
            return
        old = dict(_flat(base.settings))
        changed = [
            f"{key} {old.get(key)} there and {value} here"
            for key, value in _flat(model_settings(self._config))
            if old.get(key) != value
        ]
        # Equal settings can give other variables: the data decide which features there are.
        names = [", ".join(v.name for v in model) for model in (base.variables, described)]
        difference = "; ".join(changed) or f"variables {names[0]} there and {names[1]} here"
        raise UserError(
            f"trainer.warm_start: the last blessed model {base.uri} has another architecture "
            f"({difference}); expected the same, so train once without warm_start."
        )


def carried(
    old: np.ndarray, old_rows: Vocabulary, new: np.ndarray, new_rows: Vocabulary
) -> np.ndarray:
    """Moves a table's rows to where another vocabulary has their ids.

    Args:
      old: [R, ...], the rows to move.
      old_rows: what they stand for.
      new: [S, ...], the initial rows.
      new_rows: what these stand for.

    Returns:
      `new` with the rows of the ids that both have replaced by those of `old`,
      and likewise the rows for what is unknown where both have as many.
    """
    result = np.array(new)
    row_of = {entry: row for row, entry in enumerate(old_rows.entries, old_rows.first)}
    pairs = [
        (row, row_of[entry])
        for row, entry in enumerate(new_rows.entries, new_rows.first)
        if entry in row_of
    ]
    if pairs:
        to, source = np.transpose(pairs)
        result[to] = old[source]
    result[: new_rows.first] = old[: old_rows.first]
    old_end, new_end = (rows.first + len(rows.entries) for rows in (old_rows, new_rows))
    if len(old) - old_end == len(new) - new_end:
        result[new_end:] = old[old_end:]
    return result


def _count(old: Vocabulary, new: Vocabulary) -> dict[str, int]:
    before, now = set(old.entries), set(new.entries)
    return {CARRIED: len(before & now), NEW: len(now - before), DROPPED: len(before - now)}


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
