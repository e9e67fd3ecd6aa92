"""Settings of the search for hyper-parameters; no TensorFlow import.

Composed in pipeline.config, carried to components.tuner as JSON, read by
trainer.tuning.search. docs/tuning.md describes them for users.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from schema.errors import UserError
from schema.settings import check, check_choice, replace_values, value_at

if TYPE_CHECKING:
    from trainer.config.trainer import TrainerConfig

METRICS = ("ndcg", "hr", "rmse")

# What a trial cannot be compared by, or takes no notice of.
NOT_SEARCHED = (
    *("model", "seed", "validation_protocol", "refit", "checkpoint_every", "strategy"),
    *("warm_start", "export_tflite"),
)
# Keys below a model's name belong to it; these models read another's, or more.
_SECTIONS = {
    "gmf": ("neumf",),
    "mlp": ("neumf",),
    "multi_task": ("two_tower", "multi_task"),
}


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes:
      low: the smallest; whole for keys that hold whole numbers, as are the others.
      high: the largest.
      log: draw the logarithm evenly, for what spans orders of magnitude.
      step: draw only low, low + step, and so on; null draws any.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        check(self.low < self.high, f"low: expected below high {self.high:g}, got {self.low:g}.")
        check(not self.log or self.low > 0, f"low: expected > 0 with log, got {self.low:g}.")
        step = self.step
        check(step is None or step > 0, f"step: expected > 0, got {step}.")
        check(step is None or not self.log, f"step: expected null with log, got {step}.")

    def holds(self, value: float) -> bool:
        """Whether a draw can give a value.

        Args:
          value: any number.
        """
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return self.low <= value <= self.high and math.isclose(steps, round(steps), abs_tol=1e-9)


# The values of one key: a list of choices, or a range.
Domain = tuple[Any, ...] | Range


@dataclasses.dataclass(frozen=True)
class TuningConfig:
    """How hyper-parameters are searched before the training.

    Attributes:
      trials: trainings at the most; 0 searches nothing.
      metric: validation metric that trials are compared by, one of METRICS; null
        takes the one that chooses a training's best epoch.
      startup_trials: trials that are drawn at random and run to their end; the
        later ones are drawn by what is known, and stopped when they fall behind.
      seed: of the search.
      space: what is searched, by the trainer's keys, such as "learning_rate" or
        "neumf.embedding_dim": a list of choices, or low and high with log or
        step. Empty takes the model's entry of DEFAULT_SPACES.
    """

    trials: int = 0
    metric: str | None = None
    startup_trials: int = 5
    seed: int = 42
    space: dict[str, Domain] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self.trials >= 0, f"trials: expected 0 or more, got {self.trials}.")
        check(
            self.startup_trials >= 1,
            f"startup_trials: expected at least 1, got {self.startup_trials}.",
        )
        check(self.seed >= 0, f"seed: expected 0 or more, got {self.seed}.")
        if self.metric is not None:
            check_choice("metric", self.metric, METRICS)
        for key, domain in self.space.items():
            choices = domain if isinstance(domain, tuple) else (0, 1)
            check(
                len(choices) >= 2,
                f"space.{key}: expected two or more choices, got {list(choices)}.",
            )


_RATE = Range(3e-4, 3e-2, log=True)
_NEUMF: Mapping[str, Domain] = {
    "learning_rate": _RATE,
    "neumf.embedding_dim": (8, 16, 32, 64),
    "neumf.l2_mf": Range(1e-8, 1e-4, log=True),
    "negatives_per_positive": Range(2, 8),
}
DEFAULT_SPACES: Mapping[str, Mapping[str, Domain]] = {
    "gmf": _NEUMF,
    "mlp": {"learning_rate": _RATE, "negatives_per_positive": Range(2, 8)},
    "neumf": _NEUMF,
    "two_tower": {
        "learning_rate": _RATE,
        "two_tower.embedding_dim": (32, 64, 128),
        "two_tower.temperature": Range(0.03, 0.3, log=True),
        "two_tower.dropout": Range(0.0, 0.4, step=0.1),
    },
    "mf": {
        "learning_rate": _RATE,
        "mf.embedding_dim": (32, 64, 128, 192),
        "mf.l2": Range(3e-4, 3e-2, log=True),
    },
    "ials": {
        "ials.embedding_dim": (32, 64, 128, 192),
        "ials.unobserved_weight": Range(0.03, 1.0, log=True),
        "ials.l2": Range(1e-3, 0.1, log=True),
    },
    "ease": {"ease.l2": Range(30.0, 5000.0, log=True)},
    "itemknn": {
        "itemknn.neighbors": Range(10, 300, log=True),
        "itemknn.shrinkage": Range(0.0, 100.0, step=5.0),
    },
    "rating": {
        "learning_rate": _RATE,
        "rating.embedding_dim": (16, 32, 64),
        "rating.l2": Range(1e-6, 1e-2, log=True),
        "rating.dropout": Range(0.0, 0.4, step=0.1),
    },
    "multi_task": {
        "learning_rate": _RATE,
        "two_tower.embedding_dim": (32, 64, 128),
        "two_tower.temperature": Range(0.03, 0.3, log=True),
        "multi_task.rating_weight": Range(0.1, 10.0, log=True),
    },
    # It has no hyper-parameters.
    "popularity": {},
}


def search_space(tuning: TuningConfig, trainer: TrainerConfig) -> dict[str, Domain]:
    """What is searched for a model, checked against its settings.

    Args:
      tuning: with trials.
      trainer: what the values stand in for; its other settings hold in every
        trial.

    Returns:
      Domains by key, in the order of the keys. The bounds of a range over
      whole numbers are int.

    Raises:
      UserError: a warm start, nothing to search, an unknown key (the nearest is
        named), one that has no effect, a value that the trainer refuses, or a
        metric that the model is not validated by.
    """
    check(
        not trainer.warm_start,
        "tune.trials: expected 0 with trainer.warm_start, since trials start from random weights, "
        f"got {tuning.trials}.",
    )
    if tuning.metric is not None:
        measured = tuple(
            metric
            for metric in METRICS
            if (trainer.predicts_ratings if metric == "rmse" else trainer.criterion != "rmse")
        )
        check_choice(f"tune.metric (model {trainer.model})", tuning.metric, measured)
    declared = tuning.space or DEFAULT_SPACES[trainer.model]
    check(
        bool(declared),
        f"tune.space: the model {trainer.model} has nothing to search by default; "
        "expected keys of its settings.",
    )
    return {key: _checked(key, declared[key], trainer) for key in sorted(declared)}


def _checked(key: str, domain: Domain, trainer: TrainerConfig) -> Domain:
    where = f"tune.space.{key}"
    current = _refusing(functools.partial(value_at, trainer, key))
    check(not isinstance(current, dict), f"{where}: expected a single setting, not a group.")
    _check_effect(key, trainer)
    if isinstance(domain, Range):
        check(
            isinstance(current, int | float) and not isinstance(current, bool),
            f"{where}: expected a list of choices, as the key holds no number, got a range.",
        )
        if isinstance(current, int):
            domain = _whole(domain, where)
    ends = domain if isinstance(domain, tuple) else (domain.low, domain.high)
    changed = [_refusing(functools.partial(replace_values, trainer, {key: end})) for end in ends]
    # As the trainer reads them: YAML may have given 1e-3 as text.
    return tuple(value_at(it, key) for it in changed) if isinstance(domain, tuple) else domain


def _refusing(action: Callable[[], Any]) -> Any:
    """What `action` returns; its refusal tells that it is about the space."""
    try:
        return action()
    except UserError as error:
        raise UserError(f"tune.space: {error}") from None


def _check_effect(key: str, trainer: TrainerConfig) -> None:
    top = key.partition(".")[0]
    check(
        top not in NOT_SEARCHED,
        f"tune.space.{key}: cannot be searched; expected a key that changes what a training "
        "reaches and not how it is measured.",
    )
    sections = {f.name for f in dataclasses.fields(trainer)} & set(DEFAULT_SPACES)
    check(
        top not in sections or top in _SECTIONS.get(trainer.model, (trainer.model,)),
        f"tune.space.{key}: has no effect on the model {trainer.model}.",
    )


def _whole(domain: Range, where: str) -> Range:
    for name in ("low", "high", "step"):
        value = getattr(domain, name)
        check(
            value is None or float(value).is_integer(),
            f"{where}.{name}: expected an integer, got {value}.",
        )
    step = None if domain.step is None else int(domain.step)
    return Range(int(domain.low), int(domain.high), domain.log, step)
