"""Settings of the optimizer; no TensorFlow import.

Part of trainer.config, read by trainer.training.optimizer.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from schema.settings import READS_TEXT, Count, NonNegative, Positive, Settings, ShareBelowOne, check

Optimizer = Literal["adam", "adagrad", "sgd", "lazy_adam"]
Schedule = Literal["constant", "cosine", "exponential"]
EmbeddingGradients = Literal["auto", "dense", "sparse"]
OPTIMIZERS: tuple[str, ...] = get_args(Optimizer)
SCHEDULES: tuple[str, ...] = get_args(Schedule)


class OptimizerConfig(Settings):
    """Say how gradients change the weights; the learning rate is the trainer's own key."""

    name: Optimizer = "adam"
    """Which one. lazy_adam leaves table rows without a gradient alone, moments included;
    adam moves them on by their moments.
    """
    beta1: ShareBelowOne = 0.9
    """Decay of Adam's first moment."""
    beta2: ShareBelowOne = 0.999
    """Decay of Adam's second moment."""
    epsilon: Positive = 1e-7
    """Added to the root in Adam and, below it, in Adagrad."""
    initial_accumulator: NonNegative = 0.1
    """What Adagrad's sums of squares start from."""
    schedule: Schedule = "constant"
    """Of the learning rate, after the warm-up."""
    warmup_steps: Count = 0
    """Steps in which the rate rises linearly to learning_rate."""
    warmup_share: ShareBelowOne = 0.0
    """The same as a share of all steps of `epochs` epochs."""
    final_share: ShareBelowOne = 0.0
    """Of learning_rate, where the cosine ends."""
    decay_rate: Annotated[float, Field(gt=0, le=1), READS_TEXT] = 0.96
    """Factor of the exponential schedule in decay_steps steps."""
    decay_steps: Count = 0
    """0 means the steps of one epoch."""
    staircase: bool = False
    """The exponential schedule falls once in decay_steps steps instead of with every one."""
    clip_norm: NonNegative = 0.0
    """Gradients are shrunk to this global norm; 0 leaves them."""
    average_decay: ShareBelowOne = 0.0
    """Decay of a moving average of the weights, which is validated and exported in their place;
    0 takes the weights.
    """
    embedding_gradients: EmbeddingGradients = "auto"
    """Of embedding tables; trainer.training.optimizer has the rule of auto."""
    loss_scale: NonNegative = 0.0
    """Factor on the loss while float16 gradients are computed; 0 adapts it."""

    @model_validator(mode="after")
    def _check(self) -> OptimizerConfig:
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
        return self

    @property
    def sparse_only(self) -> bool:
        """Tell whether gradients of tables must stay sparse."""
        return self.name == "lazy_adam" or self.embedding_gradients == "sparse"
