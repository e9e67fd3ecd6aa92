"""Settings of models, training and ranking protocol; no TensorFlow import.

Composed in pipeline.config, carried to trainer.run as JSON in the Trainer's
custom_config, and read by the modules that each dataclass names.
"""

from __future__ import annotations

import dataclasses

from schema.settings import check, check_choice

MODELS = ("neumf", "two_tower", "rating", "multi_task")
# Models that predict ratings: they learn from ratings and are judged by them too.
RATING_MODELS = ("rating", "multi_task")
STRATEGIES = ("none", "mirrored")
PROTOCOLS = ("full", "sampled")


@dataclasses.dataclass(frozen=True)
class NeuMFConfig:
    """Settings of trainer.models.neumf (He et al. 2017, section 3.3).

    Attributes:
      embedding_dim: width of the GMF part of an embedding row.
      hidden_units: layer widths of the MLP tower; the first is the width of
        the concatenated user and item parts, so it must be even.
      l2_mf: L2 on the embedding tables.
      l2_mlp: L2 on each MLP layer, one a width in hidden_units; the first
        belongs to the concatenation and has no weights.
    """

    embedding_dim: int = 8
    hidden_units: tuple[int, ...] = (64, 32, 16, 8)
    l2_mf: float = 0.0
    l2_mlp: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        check(self.embedding_dim >= 1, f"embedding_dim: expected >= 1, got {self.embedding_dim}.")
        units = list(self.hidden_units)
        check(
            len(units) >= 2 and min(units) >= 1,
            f"hidden_units: expected two or more positive widths, got {units}.",
        )
        check(
            units[0] % 2 == 0,
            f"hidden_units: the first width is split between user and item and must be even, "
            f"got {units[0]}.",
        )
        check(self.l2_mf >= 0, f"l2_mf: expected 0 or more, got {self.l2_mf}.")
        check(
            len(self.l2_mlp) == len(units),
            f"l2_mlp: expected one value a layer ({len(units)}), got {len(self.l2_mlp)}.",
        )
        check(min(self.l2_mlp) >= 0, f"l2_mlp: expected 0 or more, got {list(self.l2_mlp)}.")


@dataclasses.dataclass(frozen=True)
class TwoTowerConfig:
    """Settings of trainer.models.two_tower (Yi et al. 2019).

    Attributes:
      embedding_dim: width of both towers' outputs and of the id embeddings.
      feature_dim: width of the embeddings of user and item features.
      hidden_units: relu layers of each tower before its linear output; may be
        empty.
      temperature: divides the dot products in the softmax.
      normalize: L2-normalize the towers' outputs.
      logq_correction: subtract each item's log sampling probability from its
        in-batch logit.
      dropout: rate on the towers' inputs while training.
      l2: L2 on the embeddings.
    """

    embedding_dim: int = 64
    feature_dim: int = 16
    hidden_units: tuple[int, ...] = ()
    temperature: float = 0.1
    normalize: bool = True
    logq_correction: bool = True
    dropout: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        check(self.embedding_dim >= 1, f"embedding_dim: expected >= 1, got {self.embedding_dim}.")
        check(self.feature_dim >= 1, f"feature_dim: expected >= 1, got {self.feature_dim}.")
        check(
            all(width >= 1 for width in self.hidden_units),
            f"hidden_units: expected positive widths, got {list(self.hidden_units)}.",
        )
        check(self.temperature > 0, f"temperature: expected > 0, got {self.temperature}.")
        check(0 <= self.dropout < 1, f"dropout: expected in [0, 1), got {self.dropout}.")
        check(self.l2 >= 0, f"l2: expected 0 or more, got {self.l2}.")


@dataclasses.dataclass(frozen=True)
class RatingConfig:
    """Settings of trainer.models.rating (the TFRS ranking tutorial).

    Attributes:
      embedding_dim: width of the user and of the item embeddings.
      hidden_units: relu layers over both embeddings, at least one.
      l2: L2 on the embeddings of a batch's users and items, per example.
      dropout: rate on the embeddings while training.
    """

    embedding_dim: int = 32
    hidden_units: tuple[int, ...] = (256, 64)
    l2: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check(self.embedding_dim >= 1, f"embedding_dim: expected >= 1, got {self.embedding_dim}.")
        check(
            len(self.hidden_units) >= 1 and min(self.hidden_units) >= 1,
            f"hidden_units: expected one or more positive widths, got {list(self.hidden_units)}.",
        )
        check(self.l2 >= 0, f"l2: expected 0 or more, got {self.l2}.")
        check(0 <= self.dropout < 1, f"dropout: expected in [0, 1), got {self.dropout}.")


@dataclasses.dataclass(frozen=True)
class MultiTaskConfig:
    """Settings of trainer.models.multi_task, whose towers are TwoTowerConfig's.

    Attributes:
      retrieval_weight: of the towers' retrieval loss.
      rating_weight: of the mean squared error of the predicted ratings.
      hidden_units: relu layers over both towers' outputs that predict a rating.
    """

    retrieval_weight: float = 1.0
    rating_weight: float = 1.0
    hidden_units: tuple[int, ...] = (256, 128)

    def __post_init__(self) -> None:
        for name in ("retrieval_weight", "rating_weight"):
            value = getattr(self, name)
            check(value > 0, f"{name}: expected > 0, got {value}.")
        check(
            all(width >= 1 for width in self.hidden_units),
            f"hidden_units: expected positive widths, got {list(self.hidden_units)}.",
        )


@dataclasses.dataclass(frozen=True)
class ProtocolConfig:
    """How a held-out item is ranked; read by trainer.ranking and trainer.export.

    Attributes:
      k: cut-off of HR@k and NDCG@k.
      negatives: how many unseen items stand beside the target in the sampled
        protocol, where the dataset brings no candidates of its own.
      seed: of the sampled negatives, together with the user id.
    """

    k: int = 10
    negatives: int = 99
    seed: int = 42

    def __post_init__(self) -> None:
        check(self.k >= 1, f"k: expected at least 1, got {self.k}.")
        check(self.negatives >= 1, f"negatives: expected at least 1, got {self.negatives}.")
        check(self.seed >= 0, f"seed: expected 0 or more, got {self.seed}.")


@dataclasses.dataclass(frozen=True)
class TrainerConfig:
    """Settings of one training; read by trainer.run, trainer.fit, trainer.input.

    Attributes:
      model: one of MODELS.
      epochs: passes over the training interactions at the most.
      batch_size: positive interactions a step, over all replicas.
      learning_rate: of Adam.
      negatives_per_positive: sampled negatives a positive (pairwise-scored
        models; the two-tower softmax takes its negatives from the batch).
      patience: epochs without a better `criterion` before training stops;
        0 trains all epochs.
      validation_protocol: the protocol whose NDCG@k chooses the best epoch.
      refit: train once more, on train and valid, for the chosen number of
        epochs.
      strategy: one of STRATEGIES.
      jit_compile: compile loss and gradients with XLA, about twice as fast.
      seed: of initial weights, shuffling and sampling.
      export_tflite: write the scores as a TensorFlow Lite model too, into the
        SavedModel's folder (trainer.lite).
      neumf: settings of that model.
      two_tower: settings of that model.
      rating: settings of that model.
      multi_task: settings of that model, beside those of two_tower.
    """

    model: str = "neumf"
    epochs: int = 20
    batch_size: int = 2048
    learning_rate: float = 0.001
    negatives_per_positive: int = 4
    patience: int = 5
    validation_protocol: str = "sampled"
    refit: bool = False
    strategy: str = "none"
    jit_compile: bool = True
    seed: int = 42
    export_tflite: bool = False
    neumf: NeuMFConfig = NeuMFConfig()
    two_tower: TwoTowerConfig = TwoTowerConfig()
    rating: RatingConfig = RatingConfig()
    multi_task: MultiTaskConfig = MultiTaskConfig()

    def __post_init__(self) -> None:
        check_choice("model", self.model, MODELS)
        check_choice("strategy", self.strategy, STRATEGIES)
        check_choice("validation_protocol", self.validation_protocol, PROTOCOLS)
        for name in ("epochs", "batch_size", "negatives_per_positive"):
            value = getattr(self, name)
            check(value >= 1, f"{name}: expected at least 1, got {value}.")
        check(self.learning_rate > 0, f"learning_rate: expected > 0, got {self.learning_rate}.")
        check(self.patience >= 0, f"patience: expected 0 or more, got {self.patience}.")
        check(self.seed >= 0, f"seed: expected 0 or more, got {self.seed}.")

    @property
    def predicts_ratings(self) -> bool:
        """Whether the model learns from ratings and predicts them."""
        return self.model in RATING_MODELS

    @property
    def criterion(self) -> str:
        """The validation metric that chooses the best epoch, "ndcg" or "rmse"."""
        return "rmse" if self.model == "rating" else "ndcg"
