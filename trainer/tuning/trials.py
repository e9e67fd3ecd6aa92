"""Finished trials of a search: as a table for people, and kept for a search that goes on."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
from typing import Any

import tensorflow as tf

from schema import atomic_write
from schema.errors import UserError
from schema.progress import tell
from trainer.training.validation import is_better

COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
_JOURNAL = "trials.json"


@dataclasses.dataclass(frozen=True)
class Trial:
    """Hold one finished trial.

    Attributes:
      number: from 1, which is the configuration as it was given.
      state: COMPLETE, PRUNED (fell behind the others) or FAILED (could not be
        trained).
      values: what was searched, by trainer key.
      metric: in the best epoch; None of a failed trial.
      best_epoch: the epoch that a training would take; None of a failed trial.
      curve: the metric after each epoch.
      seconds: wall time.
      error: why it failed.
    """

    number: int
    state: str
    values: dict[str, Any]
    metric: float | None = None
    best_epoch: int | None = None
    curve: tuple[float, ...] = ()
    seconds: float = 0.0
    error: str | None = None


@dataclasses.dataclass(frozen=True)
class Search:
    """Hold a finished search.

    Attributes:
      metric: name of what trials are compared by.
      trials: by number.
      resumed: how many of them an earlier, killed or shorter search had run.
      protocol: name of the one that the metric is measured under; None for errors
        of ratings, which have none.
    """

    metric: str
    trials: list[Trial]
    resumed: int
    protocol: str | None = None

    def best(self) -> Trial:
        """Return the complete trial with the best metric; of equal ones the first.

        Raises:
          UserError: none is complete.
        """
        best = None
        for trial in self.trials:
            value = {self.metric: trial.metric or 0.0}
            if trial.state == COMPLETE and (
                best is None or is_better(value, {self.metric: best.metric or 0.0}, self.metric)
            ):
                best = trial
        if best is None:
            raise UserError(
                f"None of the {len(self.trials)} trials could be trained; the first one's reason: "
                f"{self.trials[0].error}"
            )
        return best

    def report(self) -> dict[str, Any]:
        """All of it, JSON-ready; docs/tuning.md describes the keys."""
        states = [trial.state for trial in self.trials]
        return {
            "metric": self.metric,
            "protocol": self.protocol,
            "trials": len(states),
            **{state: states.count(state) for state in (COMPLETE, PRUNED, FAILED)},
            "resumed": self.resumed,
            "seconds": sum(trial.seconds for trial in self.trials),
            "best": _row(self.best(), self.metric),
            "history": [_row(trial, self.metric) for trial in self.trials],
        }

    def csv(self) -> str:
        """Return the trials as CSV with a header, a column for each key that was searched."""
        rows = [_row(trial, self.metric) for trial in self.trials]
        for row in rows:
            del row["curve"]
            row.update(row.pop("values"))
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def _row(trial: Trial, metric: str) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        f"valid_{metric}": trial.metric,
        "best_epoch": trial.best_epoch,
        "epochs": len(trial.curve),
        "seconds": round(trial.seconds, 3),
        "error": trial.error,
        "curve": list(trial.curve),
        "values": dict(trial.values),
    }


class Journal:
    """Keep a search's finished trials in a file.

    Args:
      folder: where; made when first written. None keeps nothing.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = folder

    def read(self) -> list[Trial]:
        """Return the trials that were written last.

        Empty where there are none, or where their file is damaged, of which a line tells.
        """
        if self._folder is None:
            return []
        path = os.path.join(self._folder, _JOURNAL)
        if not tf.io.gfile.exists(path):
            return []
        with tf.io.gfile.GFile(path, "rb") as file:
            text = file.read()
        try:
            return [
                Trial(**{**trial, "curve": tuple(trial["curve"])}) for trial in json.loads(text)
            ]
        except (ValueError, KeyError, TypeError) as error:
            tell(
                f"warning: {path}: what an earlier search left is damaged "
                f"({type(error).__name__}); the search starts afresh"
            )
            return []

    def write(self, trials: list[Trial]) -> None:
        """Keep trials in the place of what was kept, or, when killed, neither.

        Args:
          trials: all of them.
        """
        if self._folder is None:
            return
        path = os.path.join(self._folder, _JOURNAL)
        tf.io.gfile.makedirs(self._folder)
        atomic_write.write(path, json.dumps([dataclasses.asdict(trial) for trial in trials]))
