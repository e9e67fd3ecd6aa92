"""Settings of the two-tower model; no TensorFlow import.

Part of trainer.config.TrainerConfig; read by trainer.models.two_tower and the
modules that it is made of.
"""

from __future__ import annotations

import dataclasses

from schema.settings import check, check_choice

SOFTMAX = "softmax"
LOSSES = (SOFTMAX, "cross_entropy", "max_margin", "bpr")
LOGQ = ("none", "frequency", "streaming")
SSL_PATTERNS = ("none", "rfm", "rfm-complementary", "cfm")
ID = "id"
HISTORY = "history"
USER_TOWER = (ID, "gender", "age", "occupation", "age_value", HISTORY)
ITEM_TOWER = (ID, "genres", "year", "year_value", "title")


@dataclasses.dataclass(frozen=True)
class SoftmaxConfig:
    """The in-batch softmax; read by trainer.models.two_tower.

    Attributes:
      logq: how an item's sampling probability, whose log is subtracted from
        its logits, is found: "frequency" takes the item's share of the training
        interactions, "streaming" estimates it from the steps between two
        occurrences (Yi et al. 2019, algorithm 2), "none" leaves it out.
      streaming_rate: alpha of that algorithm, the weight of the newest gap.
      streaming_buckets: length H of its hash arrays; items whose positions are
        equal modulo H share a bucket.
      remove_accidental_hits: other rows' occurrences of a row's own item do not
        count as its negatives.
      uniform_negatives: items drawn uniformly from the catalog in each step
        that join the batch's items as candidates (Yang et al. 2020, mixed
        negative sampling).
      hard_negatives: a row's best-scored negatives that count; 0 takes all.
      cross_replica_negatives: under a synchronous strategy, the items of all
        replicas' parts of the batch are candidates, as they would be on one
        device, and not those of the replica's own part only.
    """

    logq: str = "frequency"
    streaming_rate: float = 0.05
    streaming_buckets: int = 65536
    remove_accidental_hits: bool = True
    uniform_negatives: int = 0
    hard_negatives: int = 0
    cross_replica_negatives: bool = False

    def __post_init__(self) -> None:
        check_choice("logq", self.logq, LOGQ)
        rate = self.streaming_rate
        check(0 < rate <= 1, f"streaming_rate: expected in (0, 1], got {rate}.")
        buckets = self.streaming_buckets
        check(buckets >= 1, f"streaming_buckets: expected >= 1, got {buckets}.")
        for name in ("uniform_negatives", "hard_negatives"):
            value = getattr(self, name)
            check(value >= 0, f"{name}: expected 0 or more, got {value}.")


@dataclasses.dataclass(frozen=True)
class SelfSupervisionConfig:
    """Contrast of two masked views of items; read by trainer.models.two_tower.self_supervision.

    Yao et al. 2020, "Self-supervised Learning for Large-scale Item
    Recommendations". A view keeps half of the item features and has a learned
    vector in the place of each other one.

    Attributes:
      pattern: which features a view masks: "rfm" draws them for each view,
        "rfm-complementary" masks in the second view what the first one keeps,
        "cfm" does so too and masks together what shares most information;
        "none" trains without self-supervision.
      alpha: weight of its loss beside the main one.
      temperature: divides the cosines of the views.
    """

    pattern: str = "none"
    alpha: float = 0.2
    temperature: float = 0.1

    def __post_init__(self) -> None:
        check_choice("pattern", self.pattern, SSL_PATTERNS)
        check(self.alpha > 0, f"alpha: expected > 0, got {self.alpha}.")
        check(self.temperature > 0, f"temperature: expected > 0, got {self.temperature}.")


@dataclasses.dataclass(frozen=True)
class TwoTowerConfig:
    """Settings of trainer.models.two_tower (Yi et al. 2019).

    Attributes:
      embedding_dim: width of both towers' outputs and of the id embeddings.
      feature_dim: width of the embeddings of user and item features.
      user_features: what the user tower reads, some of USER_TOWER: "id",
        "gender", "age" (group) and "occupation" are embedded, "age_value" is
        the age times a learned vector, "history" the mean embedding of the
        items of the user's history.
      item_features: what the item tower reads, some of ITEM_TOWER: "id" and
        "year" (decade) are embedded, "genres" and "title" (its words) are mean
        embeddings, "year_value" is the year times a learned vector.
      title_min_count: titles that a word must occur in to be embedded.
      history_limit: newest items of a history that count.
      hidden_units: relu layers of each tower before its linear output; may be
        empty.
      batch_norm: normalize the towers' inputs and hidden layers over the batch.
      dropout: rate on the towers' inputs and hidden layers while training.
      l2: L2 on the embeddings.
      normalize: L2-normalize the towers' outputs.
      temperature: divides the dot products in every loss.
      learn_temperature: train it, from that value on.
      loss: one of LOSSES; the softmax takes its negatives from the batch, the
        others compare each positive with sampled negatives.
      margin: by which a positive should beat a negative in the max_margin loss.
      softmax: settings of that loss.
      ssl: settings of self-supervision.
    """

    embedding_dim: int = 64
    feature_dim: int = 16
    user_features: tuple[str, ...] = (ID, "gender", "age", "occupation")
    item_features: tuple[str, ...] = (ID, "genres", "year")
    title_min_count: int = 5
    history_limit: int = 50
    hidden_units: tuple[int, ...] = ()
    batch_norm: bool = False
    dropout: float = 0.0
    l2: float = 0.0
    normalize: bool = True
    temperature: float = 0.1
    learn_temperature: bool = False
    loss: str = SOFTMAX
    margin: float = 1.0
    softmax: SoftmaxConfig = SoftmaxConfig()
    ssl: SelfSupervisionConfig = SelfSupervisionConfig()

    def __post_init__(self) -> None:
        for name in ("embedding_dim", "feature_dim", "title_min_count", "history_limit"):
            value = getattr(self, name)
            check(value >= 1, f"{name}: expected >= 1, got {value}.")
        check(
            all(width >= 1 for width in self.hidden_units),
            f"hidden_units: expected positive widths, got {list(self.hidden_units)}.",
        )
        check(0 <= self.dropout < 1, f"dropout: expected in [0, 1), got {self.dropout}.")
        check(self.l2 >= 0, f"l2: expected 0 or more, got {self.l2}.")
        check(self.temperature > 0, f"temperature: expected > 0, got {self.temperature}.")
        check(self.margin > 0, f"margin: expected > 0, got {self.margin}.")
        check_choice("loss", self.loss, LOSSES)
        _check_names("user_features", self.user_features, USER_TOWER)
        _check_names("item_features", self.item_features, ITEM_TOWER)
        self._check_together()

    @property
    def reads_history(self) -> bool:
        """Whether the user tower reads the user's history."""
        return HISTORY in self.user_features

    def _check_together(self) -> None:
        check(
            not self.reads_history or ID in self.item_features,
            f"user_features: history averages the items' id embeddings, so item_features must "
            f"hold id, got {list(self.item_features)}.",
        )
        check(
            self.loss == SOFTMAX or self.softmax == SoftmaxConfig(),
            f"softmax: its settings apply to the loss softmax only, got loss {self.loss!r}.",
        )
        if self.ssl.pattern != "none":
            check(
                self.loss == SOFTMAX,
                f"ssl.pattern: {self.ssl.pattern!r} needs the loss softmax, got {self.loss!r}.",
            )
            check(
                len(self.item_features) >= 2,
                f"ssl.pattern: {self.ssl.pattern!r} masks some item features and keeps others; "
                f"expected two or more item_features, got {list(self.item_features)}.",
            )


def _check_names(key: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    check(bool(names), f"{key}: expected at least one of {', '.join(known)}.")
    for name in names:
        check_choice(key, name, known)
    check(len(set(names)) == len(names), f"{key}: expected each name once, got {list(names)}.")
