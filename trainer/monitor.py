"""What happens after an epoch: validate, log, checkpoint, keep the best, stop.

An instance is the `after_epoch` of trainer.fit; built by trainer.training.
"""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.fit import Epoch, Fitter
from trainer.progress import Progress
from trainer.validation import Validate, is_better


class Monitor:
    """Follows one training by its validation metric, `TrainerConfig.criterion`.

    Args:
      fitter: owns the model and the optimizer.
      validator: measures the model.
      config: patience and criterion.
      run_dir: gets `logs` (TensorBoard) and `checkpoints` (of the best epoch).
      progress: told of each epoch.
    """

    def __init__(
        self,
        fitter: Fitter,
        validator: Validate,
        config: TrainerConfig,
        run_dir: str,
        progress: Progress,
    ) -> None:
        self._model = fitter.model
        self._validator = validator
        self._patience = config.patience
        self._criterion = config.criterion
        self._progress = progress
        self._writer = tf.summary.create_file_writer(os.path.join(run_dir, "logs"))
        self._checkpoints = tf.train.CheckpointManager(
            tf.train.Checkpoint(model=fitter.model, optimizer=fitter.optimizer),
            os.path.join(run_dir, "checkpoints"),
            max_to_keep=1,
        )
        self._best_weights: list[np.ndarray] = []
        self.best_epoch = 0
        self.metrics: list[dict[str, float]] = []

    def __call__(self, epoch: Epoch) -> bool:
        """Handles a finished epoch.

        Args:
          epoch: what it did.

        Returns:
          Whether `patience` epochs went by without a better one.
        """
        metrics = self._validator()
        self.metrics.append(metrics)
        better = not self.best_epoch or is_better(metrics, self.best, self._criterion)
        if better:
            self.best_epoch = epoch.number
            self._best_weights = self._model.get_weights()
            self._checkpoints.save(checkpoint_number=epoch.number)
        self._log(epoch, metrics)
        shown = " ".join(f"{name.upper()} {value:.4f}" for name, value in metrics.items())
        self._progress.line(
            f"epoch {epoch.number}: loss {epoch.loss:.4f}, valid {shown}"
            f"{' (best)' if better else ''}, {epoch.seconds:.1f} s, "
            f"{epoch.examples / epoch.seconds:,.0f} examples/s"
        )
        return bool(self._patience) and epoch.number - self.best_epoch >= self._patience

    @property
    def best(self) -> dict[str, float]:
        """Validation metrics of the best epoch so far."""
        return self.metrics[self.best_epoch - 1]

    def restore_best(self) -> None:
        """Gives the model the weights of its best epoch."""
        self._model.set_weights(self._best_weights)

    def _log(self, epoch: Epoch, metrics: dict[str, float]) -> None:
        with self._writer.as_default(step=epoch.number):
            tf.summary.scalar("loss", epoch.loss)
            tf.summary.scalar("examples_per_second", epoch.examples / epoch.seconds)
            for name, value in metrics.items():
                tf.summary.scalar(f"valid_{name}", value)
        self._writer.flush()
