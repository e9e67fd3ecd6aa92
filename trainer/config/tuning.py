"""Settings of the search for hyper-parameters; no TensorFlow import.

Composed in pipeline.config, carried to components.tuner as JSON, read by
trainer.tuning.search. docs/tuning.md describes them for users.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field, model_validator

from schema.errors import UserError
from schema.settings import (
    Count,
    Key,
    PositiveCount,
    Seed,
    Settings,
    check,
    check_choice,
    replace_values,
    value_at,
)
from trainer.config.domains import Domain, Range
from trainer.config.models import MODELS, sections

if TYPE_CHECKING:
    from trainer.config.trainer import TrainerConfig

Metric = Literal["ndcg", "hr", "rmse"]
METRICS: tuple[Metric, ...] = get_args(Metric)

# What a trial cannot be compared by, or takes no notice of.
NOT_SEARCHED = (
    *("model", "seed", "validation_protocol", "refit", "checkpoint_every", "strategy"),
    *("warm_start", "export_tflite"),
)


class TuningConfig(Settings):
    """Say how hyper-parameters are searched before the training."""

    trials: Count = 0
    """Trainings at the most; 0 searches nothing."""
    metric: Metric | None = None
    """Validation metric that trials are compared by; null takes the one that
    chooses a training's best epoch.
    """
    startup_trials: PositiveCount = 5
    """Trials that are drawn at random and run to their end; the later ones are drawn by what is
    known, and stopped when they fall behind.
    """
    seed: Seed = 42
    """Of the search."""
    space: dict[Key, Domain] = Field(default_factory=dict)
    """What is searched, by the trainer's keys, such as "learning_rate" or "neumf.embedding_dim": a
    list of choices, or low and high with log or step. Empty takes the model's default_space in
    trainer.config.models.
    """

    @model_validator(mode="after")
    def _check(self) -> TuningConfig:
        for key, domain in self.space.items():
            choices = domain if isinstance(domain, tuple) else (0, 1)
            check(
                len(choices) >= 2,
                f"space.{key}: expected two or more choices, got {list(choices)}.",
            )
        return self


def search_space(tuning: TuningConfig, trainer: TrainerConfig) -> dict[str, Domain]:
    """Return what is searched for a model, checked against its settings.

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
    declared = tuning.space or MODELS[trainer.model].default_space
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
    """Return what `action` returns; its refusal tells that it is about the space."""
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
    check(
        top not in sections() or top in MODELS[trainer.model].sections,
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
    # Checked already; checking again would make floats of them.
    return Range.model_construct(
        low=int(domain.low), high=int(domain.high), log=domain.log, step=step
    )
