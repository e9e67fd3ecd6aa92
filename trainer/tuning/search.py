"""The search for hyper-parameters: trials on the valid split, drawn by Optuna.

A search has one study. Finished trials enter it with their rounded values,
whether they ran just now or before a kill, and every trial draws from a seed of
its own number. So a search that goes on draws, prunes and finds what an
uninterrupted one does, as far as the trainings themselves repeat to the last
digit.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import optuna
import tensorflow as tf
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import MedianPruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from schema.errors import UserError
from schema.settings import replace_values, value_at
from trainer.config.domains import Domain
from trainer.config.evaluation import EvaluationConfig
from trainer.config.trainer import TrainerConfig
from trainer.config.tuning import TuningConfig, search_space
from trainer.data.dataset import Dataset
from trainer.training.progress import Progress
from trainer.training.train import train
from trainer.training.validation import is_better
from trainer.tuning.best_run import TrialStates
from trainer.tuning.trials import COMPLETE, FAILED, PRUNED, Journal, Search, Trial

# Where every draw was tried already, chance takes over; where its draws were
# too, the search ends.
_GUIDED_DRAWS, _RANDOM_DRAWS = 10, 300
# Enough to tell two values apart, few enough to read and to pass on.
_DIGITS = 6
# Metrics that a protocol belongs to.
_RANKED = ("ndcg", "hr")


def tune(
    config: TrainerConfig,
    evaluation: EvaluationConfig,
    dataset: Dataset,
    tuning: TuningConfig,
    folder: str | None = None,
    states: TrialStates | None = None,
) -> Search:
    """Search hyper-parameters.

    Trial 1 is the configuration itself. The search ends early once it finds
    nothing in the space that was not tried.

    Args:
      config: what the searched values are put into.
      evaluation: how the validation ranks.
      dataset: its train split is learned from, its valid split measured on.
      tuning: trials, space and so on.
      folder: keeps the finished trials, for a search that was killed or gets
        more trials; of this configuration and these data only. None keeps none.
      states: gets the training state of the best trial; None for nobody.

    Returns:
      The trials.

    Raises:
      UserError: the space does not fit the configuration, or no trial could be
        trained.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal = Journal(folder)
    trials = journal.read()[: tuning.trials]
    resumed = len(trials)
    objective = _Objective(config, evaluation, dataset, tuning, trials, states)
    progress = Progress("tuning", tuning.trials)
    while len(trials) < tuning.trials:
        proposed = objective.propose()
        if proposed is None:
            progress.line(f"all of the space was tried in {len(trials)} trials")
            break
        shown = ", ".join(f"{key} {value}" for key, value in proposed.items())
        progress.line(f"trial {len(trials) + 1} of {tuning.trials}: {shown}")
        trials.append(objective.run(proposed))
        if trials[-1].state != COMPLETE:
            progress.line(" ".join(filter(None, (trials[-1].state, trials[-1].error))))
        if states is not None:
            _settle(states, Search(objective.metric, trials, resumed))
        journal.write(trials)
    protocol = config.validation_protocol if objective.metric in _RANKED else None
    search = Search(objective.metric, trials, resumed, protocol)
    best = search.best()
    under = f" under {protocol}" if protocol else ""
    progress.line(f"best: trial {best.number}, valid {search.metric} {best.metric:.4f}{under}")
    return search


def _settle(states: TrialStates, search: Search) -> None:
    """Keep the last trial's state if it is the best, else drop it."""
    last = search.trials[-1]
    if last.state == COMPLETE and search.best() is last:
        states.keep(last.number)
    else:
        states.drop(last.number)


class _Objective:
    """Draw and runs trials.

    Args:
      config: see `tune`.
      evaluation: see `tune`.
      dataset: see `tune`.
      tuning: see `tune`.
      trials: that an earlier search finished.
      states: see `tune`.
    """

    def __init__(
        self,
        config: TrainerConfig,
        evaluation: EvaluationConfig,
        dataset: Dataset,
        tuning: TuningConfig,
        trials: list[Trial],
        states: TrialStates | None,
    ) -> None:
        self._config = config.replace(refit=False)
        if states is not None:
            # Only the state at the end is worth its time.
            self._config = self._config.replace(checkpoint_every=config.epochs)
        self._states = states
        self._evaluation = evaluation
        self._dataset = dataset
        self._tuning = tuning
        self._space = search_space(tuning, config)
        self._distributions = {key: _distribution(domain) for key, domain in self._space.items()}
        self.metric = tuning.metric or config.criterion
        lower = is_better({self.metric: 0.0}, {self.metric: 1.0}, self.metric)
        self._study = optuna.create_study(
            direction="minimize" if lower else "maximize",
            pruner=MedianPruner(n_startup_trials=tuning.startup_trials),
        )
        self._tried: list[dict[str, Any]] = []
        for trial in trials:
            self._add(trial)

    def propose(self) -> dict[str, Any] | None:
        """Return values that no trial had, or None where none are found."""
        if not self._tried:
            return {key: value_at(self._config, key) for key in self._space}
        startup = self._tuning.startup_trials
        for attempt in range(_GUIDED_DRAWS + _RANDOM_DRAWS):
            entropy = np.random.SeedSequence([self._tuning.seed, len(self._tried), attempt])
            seed = int(entropy.generate_state(1)[0])
            if attempt < _GUIDED_DRAWS:
                self._study.sampler = TPESampler(n_startup_trials=startup, seed=seed)
            else:
                self._study.sampler = RandomSampler(seed)
            with self._asked(self._distributions) as asked:
                drawn = asked.params
            values = {key: _external(domain, drawn[key]) for key, domain in self._space.items()}
            if values not in self._tried:
                return values
        return None

    def run(self, values: dict[str, Any]) -> Trial:
        """Train with `values`; the earlier trials tell when to give up."""
        with self._asked() as asked:
            trial = self._train(values, asked)
        self._add(trial)
        return trial

    def _train(self, values: dict[str, Any], asked: optuna.Trial) -> Trial:
        number = len(self._tried) + 1
        pruned = False

        def behind(epoch: int, metrics: Mapping[str, float]) -> bool:
            nonlocal pruned
            asked.report(metrics[self.metric], epoch)
            pruned = asked.should_prune()
            return pruned

        started = time.perf_counter()
        folder = None
        if self._states is not None:
            # Of a killed search.
            self._states.drop(number)
            folder = self._states.folder_of(number)
        try:
            config = replace_values(self._config, values)
            data, evaluation = self._dataset, self._evaluation
            report = train(config, evaluation, data, None, folder, watch=behind).report
        except (UserError, tf.errors.ResourceExhaustedError) as error:
            seconds = time.perf_counter() - started
            reason = " ".join(str(error).split())[:300]
            return Trial(number, FAILED, values, seconds=seconds, error=reason)
        finally:
            # A model and its functions hold each other.
            gc.collect()
        return Trial(
            number=number,
            state=PRUNED if pruned else COMPLETE,
            values=values,
            metric=report["best_validation"][self.metric],
            best_epoch=report["best_epoch"],
            curve=tuple(epoch[f"valid_{self.metric}"] for epoch in report["history"]),
            seconds=time.perf_counter() - started,
        )

    @contextlib.contextmanager
    def _asked(
        self, distributions: dict[str, BaseDistribution] | None = None
    ) -> Iterator[optuna.Trial]:
        """Make a trial to draw or to prune with; samplers pass over it when done."""
        asked = self._study.ask(distributions)
        yield asked
        self._study.tell(asked, state=TrialState.FAIL)

    def _add(self, trial: Trial) -> None:
        """Tell the study of a finished trial."""
        self._study.add_trial(self._frozen(trial))
        self._tried.append(trial.values)

    def _frozen(self, trial: Trial) -> FrozenTrial:
        # The first trial's values need not lie in the space. A failed one
        # counts as worse than all that were measured.
        inside = {
            key: domain for key, domain in self._space.items() if _holds(domain, trial.values[key])
        }
        return create_trial(
            state=TrialState.COMPLETE if trial.state == COMPLETE else TrialState.PRUNED,
            value=trial.metric if trial.state == COMPLETE else None,
            params={key: _internal(domain, trial.values[key]) for key, domain in inside.items()},
            distributions={key: self._distributions[key] for key in inside},
            intermediate_values=dict(enumerate(trial.curve, start=1)),
        )


def _distribution(domain: Domain) -> BaseDistribution:
    if isinstance(domain, tuple):
        # By position: Optuna keeps no lists.
        return CategoricalDistribution(tuple(range(len(domain))))
    if isinstance(domain.low, int):
        return IntDistribution(domain.low, int(domain.high), domain.log, int(domain.step or 1))
    return FloatDistribution(domain.low, domain.high, domain.log, domain.step)


def _holds(domain: Domain, value: Any) -> bool:
    if isinstance(domain, tuple):
        return value in domain
    return value is not None and domain.holds(value)


def _internal(domain: Domain, value: Any) -> Any:
    return domain.index(value) if isinstance(domain, tuple) else value


def _external(domain: Domain, drawn: Any) -> Any:
    if isinstance(domain, tuple):
        return domain[drawn]
    if isinstance(domain.low, int):
        return drawn
    return min(max(float(f"{drawn:.{_DIGITS}g}"), domain.low), domain.high)
