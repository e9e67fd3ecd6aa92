"""How held-out items are ranked and measured; no TensorFlow import.

Composed in pipeline.config as `evaluation`; read by trainer.training.validation,
components.evaluator.ranking.wrap and components.evaluator.eval_config.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, model_validator

from schema import features
from schema.settings import Items, Key, PositiveCount, Seed, Settings, check, check_choice

FULL: Final = "full"
SAMPLED: Final = "sampled"
# Functions of the targets' ranks under a protocol, and of the served lists.
RankMetric = Literal["hr", "ndcg", "mrr", "recall", "precision", "map", "mean_rank", "auc"]
ListMetric = Literal["coverage", "gini", "novelty", "list_popularity", "diversity"]
EVALUATION_LOSS: Final = "evaluation_loss"
Metric = Literal[RankMetric, ListMetric, "evaluation_loss"]
RANK_METRICS: tuple[str, ...] = get_args(RankMetric)
LIST_METRICS: tuple[str, ...] = get_args(ListMetric)
METRICS: tuple[str, ...] = get_args(Metric)
# What the gate and the console read.
REQUIRED_METRICS = ("hr", "ndcg")
# What figures can be split by; two of them are crossed as "gender*age_group".
SLICES = (*features.USER_FEATURES, *features.ROW_SLICES, *features.MODEL_SLICES)
CROSS = "*"
# Lists of more items nobody reads, and they are held for all users at once.
CutOff = Annotated[int, Field(ge=1, le=10_000)]
# Parts of metric names, of signature outputs and of `--set` keys.
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class ProtocolConfig(Settings):
    """Say which candidates a held-out item is ranked among."""

    candidates: Literal["full", "sampled"] = FULL
    """"full" takes the catalog, "sampled" some drawn items."""
    mask_seen: bool = True
    """Full only: the row's history is left out of the candidates."""
    negatives: PositiveCount = 99
    """Sampled only: how many items stand beside the targets."""
    draw: Literal["uniform", "popularity"] = "uniform"
    """Sampled only: "uniform", or "popularity" by the interactions that the model knows of the
    items; one without any is never drawn then.
    """
    replacement: bool = False
    """Sampled only: an item may be drawn, or given, and counted repeatedly."""
    exclude: Literal["all", "history"] = "all"
    """Sampled only: what is never drawn: "all" interactions of the row, its targets among them, or
    its "history" only; a target that is drawn then stands in the list already and does not count
    again.
    """
    given: bool = True
    """Sampled only: a row's own candidates are taken instead of a draw; a target among them does
    not count again.
    """
    mlperf: bool = False
    """Sampled only: rules of MLPerf's NCF: repeated negatives count once, and a row with nothing
    but repetitions has weight 0. They imply `replacement`, and `exclude` "history" unless given.
    """

    @model_validator(mode="before")
    @classmethod
    def _imply(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("mlperf") not in (True, "true"):
            return values
        return {"replacement": True, "exclude": "history"} | values

    @model_validator(mode="after")
    def _check(self) -> ProtocolConfig:
        for name, field in type(self).model_fields.items():
            value, usual = getattr(self, name), field.default
            ours = name in ("candidates", "mask_seen")
            check(
                self.candidates == SAMPLED or ours or value == usual,
                f"{name}: expected to be left out with candidates={FULL}, got {value!r}.",
            )
        check(
            self.replacement or not self.mlperf,
            "replacement: expected true, or to be left out, with mlperf, got false.",
        )
        check(
            self.candidates == FULL or self.mask_seen,
            "mask_seen: expected to be left out with candidates=sampled, got false.",
        )
        return self


def _protocols() -> dict[str, ProtocolConfig]:
    return {FULL: ProtocolConfig(), SAMPLED: ProtocolConfig(candidates=SAMPLED)}


class EvaluationConfig(Settings):
    """Say how models are validated, evaluated and compared."""

    k: CutOff = 10
    """Cut-off of the metrics that choose epochs and gate models, and length of the served lists."""
    more_k: Items[CutOff] = ()
    """Further cut-offs to report."""
    protocols: dict[Key, ProtocolConfig] = Field(default_factory=_protocols)
    """By the name that every figure carries; at least one."""
    ties: Literal["average", "pessimistic", "optimistic"] = "average"
    """Where equal scores stand: "average" is the expectation over all their orders, "pessimistic"
    puts targets last, "optimistic" first.
    """
    seed: Seed = 42
    """Of all draws, together with the user id."""
    slices: Items[str] = (
        *(features.GENDER, features.AGE_GROUP, features.OCCUPATION, features.ACTIVITY),
        *(features.TARGET_POPULARITY, features.TARGET_GENRE),
    )
    """Names out of SLICES, or crosses of two of them, whose groups of rows are measured too."""
    metrics: Items[Metric] = ("hr", "ndcg", "mrr", "auc", "coverage", "novelty", "diversity")
    """Names out of METRICS to compute, "hr" and "ndcg" among them; models that predict ratings have
    RMSE and MAE beside these. Recall, precision and MAP tell more than HR only where a split holds
    out several items.
    """

    @model_validator(mode="after")
    def _check(self) -> EvaluationConfig:
        check(
            self.k not in self.more_k,
            f"more_k: expected cut-offs other than k={self.k}, got {list(self.more_k)}.",
        )
        check(bool(self.protocols), "protocols: expected at least one, got none.")
        for name in self.protocols:
            check(
                _NAME.fullmatch(name) is not None,
                f"protocols: expected names of lower-case letters, digits and _, got {name!r}.",
            )
        self._check_slices()
        self._check_metrics()
        return self

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
        """Return what a training depends on, so that nothing else of the evaluation repeats it.

        Args:
          protocol: name of the protocol that chooses the best epoch.

        Returns:
          Cut-off, seed and that protocol; the rest as it is by default.
        """
        return EvaluationConfig(
            k=self.k, protocols={protocol: self.protocols[protocol]}, seed=self.seed
        )
