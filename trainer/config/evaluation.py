"""How held-out items are ranked and measured; no TensorFlow import.

Composed in pipeline.config as `evaluation`; read by trainer.training.validation,
components.evaluator.ranking.wrap and components.evaluator.eval_config.
"""

from __future__ import annotations

import dataclasses
import re

from schema import features
from schema.settings import check, check_choice

FULL, SAMPLED = "full", "sampled"
CANDIDATES = (FULL, SAMPLED)
DRAWS = ("uniform", "popularity")
EXCLUDES = ("all", "history")
TIES = ("average", "pessimistic", "optimistic")
# Functions of the targets' ranks under a protocol, and of the served lists.
RANK_METRICS = ("hr", "ndcg", "mrr", "recall", "precision", "map", "mean_rank", "auc")
LIST_METRICS = ("coverage", "gini", "novelty", "list_popularity", "diversity")
EVALUATION_LOSS = "evaluation_loss"
METRICS = (*RANK_METRICS, *LIST_METRICS, EVALUATION_LOSS)
# What the gate and the console read.
REQUIRED_METRICS = ("hr", "ndcg")
# What figures can be split by; two of them are crossed as "gender*age_group".
SLICES = (*features.USER_FEATURES, *features.ROW_SLICES, *features.MODEL_SLICES)
CROSS = "*"
# Parts of metric names, of signature outputs and of `--set` keys.
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclasses.dataclass(frozen=True)
class ProtocolConfig:
    """Which candidates a held-out item is ranked among.

    Attributes:
      candidates: "full" takes the catalog, "sampled" some drawn items.
      mask_seen: full only: the row's history is left out of the candidates.
      negatives: sampled only: how many items stand beside the targets.
      draw: sampled only: "uniform", or "popularity" by the interactions that the
        model knows of the items; one without any is never drawn then.
      replacement: sampled only: an item may be drawn, or given, and counted
        repeatedly.
      exclude: sampled only: what is never drawn: "all" interactions of the row,
        its targets among them, or its "history" only; a target that is drawn then
        stands in the list already and does not count again.
      given: sampled only: a row's own candidates are taken instead of a draw; a
        target among them does not count again.
      mlperf: sampled only: rules of MLPerf's NCF: repeated negatives count once,
        and a row with nothing but repetitions has weight 0.
    """

    candidates: str = FULL
    mask_seen: bool = True
    negatives: int = 99
    draw: str = "uniform"
    replacement: bool = False
    exclude: str = "all"
    given: bool = True
    mlperf: bool = False

    def __post_init__(self) -> None:
        check_choice("candidates", self.candidates, CANDIDATES)
        check_choice("draw", self.draw, DRAWS)
        check_choice("exclude", self.exclude, EXCLUDES)
        check(self.negatives >= 1, f"negatives: expected at least 1, got {self.negatives}.")
        for field in dataclasses.fields(self):
            value, usual = getattr(self, field.name), field.default
            ours = field.name in ("candidates", "mask_seen")
            check(
                self.candidates == SAMPLED or ours or value == usual,
                f"{field.name}: expected to be left out with candidates={FULL}, got {value!r}.",
            )
        check(
            self.candidates == FULL or self.mask_seen,
            "mask_seen: expected to be left out with candidates=sampled, got false.",
        )


def _protocols() -> dict[str, ProtocolConfig]:
    return {FULL: ProtocolConfig(), SAMPLED: ProtocolConfig(candidates=SAMPLED)}


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """How models are validated, evaluated and compared.

    Attributes:
      k: cut-off of the metrics that choose epochs and gate models, and length of
        the served lists.
      more_k: further cut-offs to report.
      protocols: by the name that every figure carries; at least one.
      ties: where equal scores stand: "average" is the expectation over all their
        orders, "pessimistic" puts targets last, "optimistic" first.
      seed: of all draws, together with the user id.
      slices: names out of SLICES, or crosses of two of them, whose groups of rows
        are measured too.
      metrics: names out of METRICS to compute, "hr" and "ndcg" among them; models
        that predict ratings have RMSE and MAE beside these. Recall, precision
        and MAP tell more than HR only where a split holds out several items.
    """

    k: int = 10
    more_k: tuple[int, ...] = ()
    protocols: dict[str, ProtocolConfig] = dataclasses.field(default_factory=_protocols)
    ties: str = "average"
    seed: int = 42
    slices: tuple[str, ...] = (
        *(features.GENDER, features.AGE_GROUP, features.OCCUPATION, features.ACTIVITY),
        *(features.TARGET_POPULARITY, features.TARGET_GENRE),
    )
    metrics: tuple[str, ...] = ("hr", "ndcg", "mrr", "auc", "coverage", "novelty", "diversity")

    def __post_init__(self) -> None:
        check(self.k >= 1, f"k: expected at least 1, got {self.k}.")
        check(
            all(k >= 1 for k in self.more_k) and self.k not in self.more_k,
            f"more_k: expected cut-offs of at least 1 other than k={self.k}, got "
            f"{list(self.more_k)}.",
        )
        check(bool(self.protocols), "protocols: expected at least one, got none.")
        for name in self.protocols:
            check(
                _NAME.fullmatch(name) is not None,
                f"protocols: expected names of lower-case letters, digits and _, got {name!r}.",
            )
        check_choice("ties", self.ties, TIES)
        check(self.seed >= 0, f"seed: expected 0 or more, got {self.seed}.")
        self._check_slices()
        self._check_metrics()

    def _check_slices(self) -> None:
        for position, name in enumerate(self.slices):
            parts = name.split(CROSS)
            for part in parts:
                check_choice("slices", part, SLICES)
            check(
                len(parts) <= 2 and len(set(parts)) == len(parts),
                f"slices: expected crosses of two different features, got {name!r}.",
            )
            check(
                name not in self.slices[:position],
                f"slices: expected each once, got {name!r} twice.",
            )

    def _check_metrics(self) -> None:
        for position, name in enumerate(self.metrics):
            check_choice("metrics", name, METRICS)
            check(
                name not in self.metrics[:position],
                f"metrics: expected each once, got {name!r} twice.",
            )
        check(
            set(self.metrics) >= set(REQUIRED_METRICS),
            f"metrics: expected {' and '.join(REQUIRED_METRICS)} among them, got "
            f"{list(self.metrics)}.",
        )
        check(
            EVALUATION_LOSS not in self.metrics
            or any(one.candidates == SAMPLED for one in self.protocols.values()),
            f"metrics: {EVALUATION_LOSS} expected a protocol with candidates={SAMPLED}, got none.",
        )

    def for_training(self, protocol: str) -> EvaluationConfig:
        """What a training depends on, so that nothing else of the evaluation repeats it.

        Args:
          protocol: name of the protocol that chooses the best epoch.

        Returns:
          Cut-off, seed and that protocol; the rest as it is by default.
        """
        return EvaluationConfig(
            k=self.k, protocols={protocol: self.protocols[protocol]}, seed=self.seed
        )
