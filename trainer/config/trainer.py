"""Settings of models and training; no TensorFlow import.

Composed in pipeline.config, carried to trainer.run_fn as JSON in the Trainer's
custom_config, and read by the modules that each dataclass names.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from schema.settings import check, check_choice
from trainer.config.baselines import EASEConfig as EASEConfig
from trainer.config.baselines import IALSConfig as IALSConfig
from trainer.config.baselines import ItemKNNConfig as ItemKNNConfig
from trainer.config.baselines import MFConfig as MFConfig
from trainer.config.models import MODELS as MODELS
from trainer.config.models import ModelSpec, sections
from trainer.config.neumf import NeuMFConfig as NeuMFConfig
from trainer.config.neumf import PretrainConfig as PretrainConfig
from trainer.config.optimizer import OptimizerConfig
from trainer.config.ratings import MultiTaskConfig as MultiTaskConfig
from trainer.config.ratings import RatingConfig as RatingConfig
from trainer.config.two_tower import SOFTMAX, TwoTowerConfig

Section = TypeVar("Section")

AUTO = "auto"
# Strategies of a single process, over the devices that it sees.
ONE_PROCESS = ("none", "one_device", "mirrored", "tpu")
STRATEGIES = (*ONE_PROCESS, "multi_worker_mirrored", "parameter_server", AUTO)
UNCONSUMED = "unconsumed"
SAMPLERS = (UNCONSUMED, "random", "popular")
PRECISIONS = ("float32", "float16", "bfloat16")


@dataclasses.dataclass(frozen=True)
class TrainerConfig:
    """Settings of one training.

    Attributes:
      model: one of trainer.config.models.MODELS.
      epochs: passes over the training interactions at the most.
      batch_size: positive interactions a step, over all replicas, which share
        them evenly; with parameter_server each worker's steps take as many.
      learning_rate: of the optimizer, before its schedule.
      optimizer: which one, and how.
      negatives_per_positive: sampled negatives a positive (pairwise-scored
        models; the two-tower softmax takes its negatives from the batch).
      sampler: where those come from: "unconsumed" draws uniformly from what the
        user has not interacted with, "random" from all items but the positive,
        "popular" from these by training frequency.
      popularity_exponent: power of the frequency that "popular" draws by.
      patience: epochs without a better `criterion` before training stops;
        0 trains all epochs.
      hr_threshold: validation HR that stops the training; null never does.
      checkpoint_every: epochs between two states that a killed training can go
        on from; 0 keeps none.
      validation_protocol: name of the protocol, among those of the evaluation,
        whose NDCG@k chooses the best epoch (of the model rating: not used, its
        RMSE chooses).
      refit: train once more, on train and valid, for the chosen number of
        epochs.
      warm_start: start from the weights of the last blessed model, rows going
        by raw id; the first training, which finds none, starts from random ones.
      strategy: one of STRATEGIES (see trainer.distribution.strategy). "none" trains on one
        device, "one_device" the same by TensorFlow's strategy of that name,
        "mirrored" on all devices of the process, "tpu" on those of a TPU,
        "multi_worker_mirrored" on those of all processes in TF_CONFIG in common
        steps, "parameter_server" on its workers in steps of their own. "auto"
        takes what TF_CONFIG and the number of GPUs fit.
      jit_compile: compile the training step with XLA, two to three times as
        fast; what replicas exchange, and workers of parameter servers, stay
        uncompiled.
      precision: one of PRECISIONS, of the layers' matrix products; weights and
        losses are float32.
      seed: of initial weights, shuffling and sampling.
      export_tflite: write the scores as a TensorFlow Lite model too, into the
        SavedModel's folder (trainer.serving.tflite).
      neumf: settings of that model.
      two_tower: settings of that model.
      itemknn: settings of that model.
      mf: settings of that model.
      ials: settings of that model.
      ease: settings of that model.
      rating: settings of that model.
      multi_task: settings of that model, beside those of two_tower.
    """

    model: str = "neumf"
    epochs: int = 20
    batch_size: int = 2048
    learning_rate: float = 0.001
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    negatives_per_positive: int = 4
    sampler: str = UNCONSUMED
    popularity_exponent: float = 0.75
    patience: int = 5
    hr_threshold: float | None = None
    checkpoint_every: int = 1
    validation_protocol: str = "sampled"
    refit: bool = False
    warm_start: bool = False
    strategy: str = "none"
    jit_compile: bool = True
    precision: str = "float32"
    seed: int = 42
    export_tflite: bool = False
    neumf: NeuMFConfig = dataclasses.field(default_factory=NeuMFConfig)
    two_tower: TwoTowerConfig = dataclasses.field(default_factory=TwoTowerConfig)
    itemknn: ItemKNNConfig = dataclasses.field(default_factory=ItemKNNConfig)
    mf: MFConfig = dataclasses.field(default_factory=MFConfig)
    ials: IALSConfig = dataclasses.field(default_factory=IALSConfig)
    ease: EASEConfig = dataclasses.field(default_factory=EASEConfig)
    rating: RatingConfig = dataclasses.field(default_factory=RatingConfig)
    multi_task: MultiTaskConfig = dataclasses.field(default_factory=MultiTaskConfig)

    def __post_init__(self) -> None:
        check_choice("model", self.model, tuple(MODELS))
        check_choice("strategy", self.strategy, STRATEGIES)
        check(
            not self.spec.solved or self.strategy in ("none", AUTO),
            f"strategy: expected none with the model {self.model}, which is solved for by one "
            f"process, got {self.strategy}.",
        )
        for name in ("epochs", "batch_size", "negatives_per_positive"):
            value = getattr(self, name)
            check(value >= 1, f"{name}: expected at least 1, got {value}.")
        check(self.learning_rate > 0, f"learning_rate: expected > 0, got {self.learning_rate}.")
        check(self.patience >= 0, f"patience: expected 0 or more, got {self.patience}.")
        check(self.seed >= 0, f"seed: expected 0 or more, got {self.seed}.")
        self._check_sampler()
        self._check_loop()
        self._check_warm_start()

    def _check_sampler(self) -> None:
        check_choice("sampler", self.sampler, SAMPLERS)
        exponent = self.popularity_exponent
        check(exponent >= 0, f"popularity_exponent: expected 0 or more, got {exponent}.")
        check(
            "two_tower" not in self.spec.sections
            or self.two_tower.loss != SOFTMAX
            or self.sampler == UNCONSUMED,
            f"sampler: the loss softmax of {self.model} takes its negatives from the batch; "
            f"expected {UNCONSUMED} (the default, not used) or another two_tower.loss, "
            f"got {self.sampler!r}.",
        )

    def _check_warm_start(self) -> None:
        check(
            not self.warm_start or self.spec.warm_start,
            f"warm_start: expected false with the model {self.model}, which is computed from the "
            f"data at once and starts from nothing.",
        )
        check(
            not self.warm_start or self.model != "neumf" or not self.neumf.pretrain.gmf_epochs,
            "warm_start: expected false with neumf.pretrain, since either gives the first "
            "weights; set neumf.pretrain.gmf_epochs and mlp_epochs to 0 to start warm.",
        )

    def _check_loop(self) -> None:
        check_choice("precision", self.precision, PRECISIONS)
        hr = self.hr_threshold
        check(hr is None or 0 < hr <= 1, f"hr_threshold: expected in (0, 1], got {hr}.")
        check(
            hr is None or self.criterion == "ndcg",
            f"hr_threshold: expected null with the model {self.model}, whose validation measures "
            f"no HR, got {hr}.",
        )
        every = self.checkpoint_every
        check(every >= 0, f"checkpoint_every: expected 0 or more, got {every}.")
        check(
            self.precision == "float32" or self.spec.mixed_precision,
            f"precision: expected float32 with the model {self.model}, got {self.precision!r}.",
        )
        check(
            self.precision != "float16" or self.strategy not in ("parameter_server", "tpu"),
            f"precision: expected float32 or bfloat16 with the strategy {self.strategy}, under "
            f"which Keras scales no losses, got float16.",
        )
        check(
            not self.neumf.pretrain.gmf_epochs or self.model not in ("gmf", "mlp"),
            f"neumf.pretrain: expected 0 epochs with the model {self.model}, a part of neumf.",
        )
        pretrain = self.neumf.pretrain.optimizer
        for where, settings in (("", self.optimizer), ("neumf.pretrain.", pretrain)):
            check(
                not settings.loss_scale or self.precision == "float16",
                f"{where}optimizer.loss_scale: expected 0 unless precision is float16, "
                f"got {settings.loss_scale}.",
            )
            check(
                not settings.sparse_only or self.strategy == "none",
                f"{where}optimizer: expected dense gradients with the strategy {self.strategy}, "
                f"got {settings.name!r} with {settings.embedding_gradients!r} gradients.",
            )

    @property
    def spec(self) -> ModelSpec:
        """The model's row."""
        return MODELS[self.model]

    @property
    def predicts_ratings(self) -> bool:
        """Whether the model learns from ratings and predicts them."""
        return self.spec.predicts_ratings

    @property
    def criterion(self) -> str:
        """The validation metric that chooses the best epoch, "ndcg" or "rmse"."""
        return self.spec.criterion

    def section(self, kind: type[Section]) -> Section:
        """Return the settings of a model, which its row names by their class.

        Args:
          kind: the class.

        Returns:
          What this configuration has of it.
        """
        (key,) = (key for key, known in sections().items() if known is kind)
        found: Section = getattr(self, key)
        return found
