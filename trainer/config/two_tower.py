"""Settings of the two-tower model; no TensorFlow import.

Part of trainer.config.TrainerConfig; read by trainer.models.two_tower and the
modules that it is made of.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import Field, model_validator

from schema.features import AGE, GENDER, OCCUPATION
from schema.settings import (
    READS_TEXT,
    Count,
    Items,
    NonNegative,
    Positive,
    PositiveCount,
    Settings,
    ShareBelowOne,
    Width,
    check,
)
from trainer.config.sequence import MEAN, HistoryEncoder, SequenceConfig

Loss = Literal["softmax", "full_softmax", "cross_entropy", "max_margin", "bpr"]
UserFeature = Literal["id", "gender", "age", "occupation", "age_value", "history"]
ItemFeature = Literal["id", "genres", "year", "year_value", "title"]
LOSSES: tuple[str, ...] = get_args(Loss)
SOFTMAX: Final = "softmax"
FULL_SOFTMAX: Final = "full_softmax"
Placeholder = Literal["learned", "zeros"]
LEARNED: Final = "learned"
Information = Literal["items", "interactions"]
INTERACTIONS: Final = "interactions"
ID: Final = "id"
HISTORY: Final = "history"


class SoftmaxConfig(Settings):
    """Configure the in-batch softmax."""

    logq: Literal["none", "frequency", "streaming"] = "frequency"
    """How an item's sampling probability, whose log is subtracted from its logits, is found:
    "frequency" takes the item's share of the training interactions, "streaming" estimates it from
    the steps between two occurrences (Yi et al. 2019, algorithm 2), "none" leaves it out.
    """
    streaming_rate: Annotated[float, Field(gt=0, le=1), READS_TEXT] = 0.05
    """Alpha of that algorithm, the weight of the newest gap."""
    streaming_buckets: PositiveCount = 65536
    """Length H of its hash arrays; items whose positions are equal modulo H share a bucket."""
    remove_accidental_hits: bool = True
    """Other rows' occurrences of a row's own item do not count as its negatives."""
    uniform_negatives: Count = 0
    """Items drawn uniformly from the catalog in each step that join the batch's items as candidates
    (Yang et al. 2020, mixed negative sampling).
    """
    hard_negatives: Count = 0
    """A row's best-scored negatives that count; 0 takes all."""
    cross_replica_negatives: bool = False
    """Under a synchronous strategy, the items of all replicas' parts of the batch are candidates,
    as they would be on one device, and not those of the replica's own part only.
    """


class SelfSupervisionConfig(Settings):
    """Configure the contrast of two masked views of items.

    Yao et al. 2020, "Self-supervised Learning for Large-scale Item
    Recommendations". A view keeps some of the item features and has another
    vector in the place of each other one.
    """

    pattern: Literal["none", "rfm", "rfm-complementary", "cfm"] = "none"
    """Which features a view masks: "rfm" draws them for each view, "rfm-complementary" masks in the
    second view what the first one keeps, "cfm" does so too and masks together what shares most
    information; "none" trains without self-supervision.
    """
    alpha: Positive = 0.2
    """Weight of its loss beside the main one."""
    temperature: Positive = 0.1
    """Divides the cosines of the views."""
    keep: Items[ItemFeature] = ()
    """Item features that no view masks."""
    num_masked: Count = 0
    """How many of the others a view masks; 0 takes half of them, rounded up."""
    placeholder: Placeholder = "learned"
    """What stands for a masked feature: a vector of its own that is "learned", or "zeros"."""
    information: Information = "items"
    """What "cfm" measures mutual information over: every item of the catalog alike, or each as
    often as it was interacted with.
    """


class TwoTowerConfig(Settings):
    """Configure trainer.models.two_tower (Yi et al. 2019)."""

    embedding_dim: Width = 64
    """Width of the id embeddings, and of both towers' outputs unless output_dim has another."""
    output_dim: Annotated[int, Field(ge=0, le=2**16)] = 0
    """Width of both towers' outputs; 0 means embedding_dim."""
    feature_dim: Width = 16
    """Width of the embeddings of user and item features."""
    user_features: Annotated[Items[UserFeature], Field(min_length=1)] = (
        ID,
        "gender",
        "age",
        "occupation",
    )
    """What the user tower reads: "id", "gender", "age" (group) and "occupation"
    are embedded, "age_value" is the age times a learned vector, "history" what history_encoder
    makes of the items of the user's history.
    """
    item_features: Annotated[Items[ItemFeature], Field(min_length=1)] = (ID, "genres", "year")
    """What the item tower reads: "id" and "year" (decade) are embedded,
    "genres" and "title" (its words) are mean embeddings, "year_value" is the year times a learned
    vector.
    """
    title_min_count: PositiveCount = 5
    """Titles that a word must occur in to be embedded."""
    history_limit: PositiveCount = 50
    """Newest items of a history that count."""
    history_encoder: HistoryEncoder = MEAN
    """What reads the history: the "mean" of the items' id embeddings, or of their order a recurrent
    network ("gru"), self-attention ("sasrec") or gated pointwise attention ("hstu").
    """
    sequence: SequenceConfig = SequenceConfig()
    """Settings of these three."""
    hidden_units: Items[Width] = ()
    """Relu layers of each tower before its linear output; may be empty."""
    batch_norm: bool = False
    """Normalize the towers' inputs and hidden layers over the batch."""
    batch_norm_order: Literal["before_relu", "after_relu"] = "before_relu"
    """Where that of a hidden layer stands."""
    dropout: ShareBelowOne = 0.0
    """Rate on the towers' inputs and hidden layers while training."""
    embeddings_initializer: Literal["random_normal", "glorot_uniform"] = "random_normal"
    """First values of the embeddings, by Keras' names: normal of standard deviation 0.05, or
    uniform by rows and width, about 0.02 with thousands of rows.
    """
    l2: NonNegative = 0.0
    """L2 on the embeddings."""
    normalize: bool = True
    """L2-normalize the towers' outputs."""
    temperature: Positive = 0.1
    """Divides the dot products in every loss."""
    learn_temperature: bool = False
    """Train it, from that value on."""
    loss: Loss = SOFTMAX
    """What is minimized: "softmax" takes its negatives from the batch, "full_softmax" compares each
    positive with the whole catalog, all positives of a user in one batch where they fit, and the
    others compare it with sampled negatives.
    """
    margin: Positive = 1.0
    """By which a positive should beat a negative in the max_margin loss."""
    softmax: SoftmaxConfig = SoftmaxConfig()
    """Settings of that loss."""
    ssl: SelfSupervisionConfig = SelfSupervisionConfig()
    """Settings of self-supervision."""

    @model_validator(mode="after")
    def _check(self) -> TwoTowerConfig:
        for key in ("user_features", "item_features"):
            names = list(getattr(self, key))
            check(len(set(names)) == len(names), f"{key}: expected each name once, got {names}.")
        self._check_together()
        return self

    @property
    def samples_negatives(self) -> bool:
        """Tell whether the loss compares positives with sampled negatives."""
        return self.loss not in (SOFTMAX, FULL_SOFTMAX)

    @property
    def reads_history(self) -> bool:
        """Tell whether the user tower reads the user's history."""
        return HISTORY in self.user_features

    @property
    def reads_sequence(self) -> bool:
        """Tell whether the user tower reads the order of the history."""
        return self.history_encoder != MEAN

    @property
    def has_small_logits(self) -> bool:
        """Tell whether no score divided by the temperature is so large that exp overflows."""
        return self.normalize and not self.learn_temperature and self.temperature > 0.02

    @property
    def width(self) -> int:
        """Return the width of both towers' outputs."""
        return self.output_dim or self.embedding_dim

    @property
    def read_features(self) -> tuple[str, ...]:
        """Return those of schema.features GENDER, AGE and OCCUPATION that the user tower reads."""
        read = {"age" if name == "age_value" else name for name in self.user_features}
        return tuple(name for name in (GENDER, AGE, OCCUPATION) if name in read)

    def _check_together(self) -> None:
        check(
            not self.reads_history or self.reads_sequence or ID in self.item_features,
            f"user_features: history averages the items' id embeddings, so item_features must "
            f"hold id, got {list(self.item_features)}.",
        )
        check(
            self.loss == SOFTMAX or self.softmax == SoftmaxConfig(),
            f"softmax: its settings apply to the loss softmax only, got loss {self.loss!r}.",
        )
        if self.ssl.pattern != "none":
            self._check_ssl()
        if self.reads_sequence:
            self._check_sequence()

    def _check_sequence(self) -> None:
        encoder = self.history_encoder
        check(
            self.reads_history,
            f"history_encoder: {encoder!r} reads the history, so user_features must hold history, "
            f"got {list(self.user_features)}.",
        )
        check(
            self.loss == FULL_SOFTMAX,
            f"history_encoder: {encoder!r} is trained with the loss {FULL_SOFTMAX}, "
            f"got {self.loss!r}.",
        )
        check(
            not self.batch_norm,
            f"batch_norm: expected false with history_encoder {encoder!r}, whose positions would "
            f"see later ones through the batch, got true.",
        )
        heads = self.sequence.heads
        check(
            encoder == "gru" or self.width % heads == 0,
            f"sequence.heads: expected a divisor of the towers' width {self.width}, got {heads}.",
        )

    def _check_ssl(self) -> None:
        ssl = self.ssl
        check(
            self.loss == SOFTMAX,
            f"ssl.pattern: {ssl.pattern!r} needs the loss softmax, got {self.loss!r}.",
        )
        check(
            set(ssl.keep) <= set(self.item_features),
            f"ssl.keep: expected some of item_features, {list(self.item_features)}, got "
            f"{list(ssl.keep)}.",
        )
        maskable = [name for name in self.item_features if name not in ssl.keep]
        check(
            len(maskable) >= 2,
            f"ssl.pattern: {ssl.pattern!r} masks some item features and keeps others; "
            f"expected two or more item_features that ssl.keep does not name, got {maskable}.",
        )
        check(
            ssl.num_masked < len(maskable),
            f"ssl.num_masked: expected fewer than the {len(maskable)} item features that may be "
            f"masked, got {ssl.num_masked}.",
        )
