"""Settings of the optimizer; no TensorFlow import.

Part of trainer.config, read by trainer.optimizer.
"""

from __future__ import annotations

import dataclasses

from schema.settings import check, check_choice

OPTIMIZERS = ("adam", "adagrad", "sgd", "lazy_adam")
SCHEDULES = ("constant", "cosine", "exponential")
EMBEDDING_GRADIENTS = ("auto", "dense", "sparse")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """How gradients change the weights; the learning rate is the trainer's own key.

    Attributes:
      name: one of OPTIMIZERS. lazy_adam leaves table rows without a gradient
        alone, moments included; adam moves them on by their moments.
      beta1: decay of Adam's first moment.
      beta2: decay of Adam's second moment.
      epsilon: added to the root in Adam and, below it, in Adagrad.
      initial_accumulator: what Adagrad's sums of squares start from.
      schedule: one of SCHEDULES, after the warm-up.
      warmup_steps: steps in which the rate rises linearly to learning_rate.
      warmup_share: the same as a share of all steps of `epochs` epochs.
      final_share: of learning_rate, where the cosine ends.
      decay_rate: factor of the exponential schedule in decay_steps steps.
      decay_steps: 0 means the steps of one epoch.
      clip_norm: gradients are shrunk to this global norm; 0 leaves them.
      embedding_gradients: one of EMBEDDING_GRADIENTS; trainer.optimizer has
        the rule of auto.
      loss_scale: factor on the loss while float16 gradients are computed; 0
        adapts it.
    """

    name: str = "adam"
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-7
    initial_accumulator: float = 0.1
    schedule: str = "constant"
    warmup_steps: int = 0
    warmup_share: float = 0.0
    final_share: float = 0.0
    decay_rate: float = 0.96
    decay_steps: int = 0
    clip_norm: float = 0.0
    embedding_gradients: str = "auto"
    loss_scale: float = 0.0

    def __post_init__(self) -> None:
        check_choice("name", self.name, OPTIMIZERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("embedding_gradients", self.embedding_gradients, EMBEDDING_GRADIENTS)
        for name in ("beta1", "beta2", "warmup_share", "final_share"):
            value = getattr(self, name)
            check(0 <= value < 1, f"{name}: expected in [0, 1), got {value}.")
        check(self.epsilon > 0, f"epsilon: expected > 0, got {self.epsilon}.")
        check(0 < self.decay_rate <= 1, f"decay_rate: expected in (0, 1], got {self.decay_rate}.")
        names = ("initial_accumulator", "warmup_steps", "decay_steps", "clip_norm", "loss_scale")
        for name in names:
            value = getattr(self, name)
            check(value >= 0, f"{name}: expected 0 or more, got {value}.")
        check(
            not (self.warmup_steps and self.warmup_share),
            f"warmup_share: expected 0 beside warmup_steps, got {self.warmup_share}.",
        )
        check(
            self.name != "lazy_adam" or self.embedding_gradients != "dense",
            "embedding_gradients: expected auto or sparse with lazy_adam, which goes by the rows "
            "of sparse gradients, got 'dense'.",
        )
        check(
            not (self.sparse_only and self.clip_norm),
            f"clip_norm: expected 0 with sparse gradients, whose repeated rows would be counted "
            f"apart in the norm, got {self.clip_norm}.",
        )

    @property
    def sparse_only(self) -> bool:
        """Whether gradients of tables must stay sparse."""
        return self.name == "lazy_adam" or self.embedding_gradients == "sparse"
