"""After an epoch: validate, log, keep the best weights, stop."""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf

from trainer.config import keys
from trainer.config.trainer import TrainerConfig
from trainer.data.catalog import Catalog
from trainer.models.base import Recommender
from trainer.training import tensorboard_projector
from trainer.training.loops.base import Epoch
from trainer.training.progress import Progress
from trainer.training.validation import Validate, is_better

PATIENCE, THRESHOLD, EPOCHS = "patience", "hr_threshold", "epochs"


class EarlyStopping:
    """Follow one training by its validation metric, `TrainerConfig.criterion`.

    An instance is the `after_epoch` of trainer.training.loops.base.

    Args:
      model: in training.
      validator: measures the model.
      config: patience, hr_threshold and criterion.
      run_dir: gets `logs` (TensorBoard) and `checkpoints` (of the best epoch);
        None writes neither.
      name: subfolder in both; "" for none.
      progress: told of each epoch.

    Attributes:
      epochs: what was trained, by epoch.
      metrics: validation metrics, by epoch.
      initial: those of the weights that training started from; None when they
        were random.
      best_epoch: the best one by the criterion; 0 is the start, when `initial` counts.
      best_weights: of that epoch; empty before the first one.
      stopped_by: what ended the training; None while it goes on.
    """

    def __init__(
        self,
        model: Recommender,
        validator: Validate,
        config: TrainerConfig,
        run_dir: str | None,
        name: str,
        progress: Progress,
    ) -> None:
        self._model = model
        self._validator = validator
        self._config = config
        self._progress = progress
        self._run_dir = run_dir
        self._name = name
        self._writer = (
            tf.summary.create_noop_writer()
            if run_dir is None
            else tf.summary.create_file_writer(os.path.join(run_dir, keys.LOGS_FOLDER, name))
        )
        # Solvers have nothing to compile that would count.
        self._compiled = config.spec.solved
        self.epochs: list[Epoch] = []
        self.metrics: list[dict[str, float]] = []
        self.initial: dict[str, float] | None = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] = []
        self.stopped_by: str | None = None

    def measure_start(self) -> None:
        """Make the present weights the ones to beat, as epoch 0."""
        self.initial = self._validator()
        self.best_weights = self._model.get_weights()
        self._progress.line(f"start: valid {self._shown(self.initial)}")

    def __call__(self, epoch: Epoch) -> bool:
        """Handle a finished epoch.

        Args:
          epoch: what it did.

        Returns:
          Whether training shall stop: `patience` epochs went by without a
          better one, or HR reached hr_threshold.
        """
        metrics = self._validator()
        criterion = self._config.criterion
        better = not self.best_weights or is_better(metrics, self.best, criterion)
        self.epochs.append(epoch)
        self.metrics.append(metrics)
        if better:
            self.best_epoch = epoch.number
            self.best_weights = self._model.get_weights()
        self.log(epoch, metrics)
        compiling = "" if self._compiled else ", compiling included"
        self._progress.line(
            f"epoch {epoch.number}: loss {epoch.loss:.4f}, valid {self._shown(metrics)}"
            f"{' (best)' if better else ''}, {epoch.seconds:.1f} s, "
            f"{epoch.examples / epoch.seconds:,.0f} examples/s{compiling}"
        )
        self._compiled = True
        patience, threshold = self._config.patience, self._config.hr_threshold
        if threshold is not None and metrics["hr"] >= threshold:
            self.stopped_by = THRESHOLD
        elif patience and epoch.number - self.best_epoch >= patience:
            self.stopped_by = PATIENCE
        elif epoch.number == self._config.epochs:
            self.stopped_by = EPOCHS
        return self.stopped_by is not None

    @property
    def best(self) -> dict[str, float]:
        """Return the validation metrics of the best epoch so far."""
        if not self.best_epoch and self.initial is not None:
            return self.initial
        return self.metrics[self.best_epoch - 1]

    def finish(self, catalog: Catalog) -> None:
        """Give the model its best epoch's weights and write what is made of them.

        Args:
          catalog: names the points of TensorBoard's projector.
        """
        self._model.set_weights(self.best_weights)
        if self._run_dir is None:
            return
        checkpoint = os.path.join(self._run_dir, "checkpoints", self._name, "ckpt")
        tf.train.Checkpoint(model=self._model).write(f"{checkpoint}-{self.best_epoch}")
        tensorboard_projector.write(
            self._model, catalog, os.path.join(self._run_dir, keys.LOGS_FOLDER, self._name)
        )

    def log(self, epoch: Epoch, metrics: dict[str, float]) -> None:
        """Write an epoch's scalars for TensorBoard.

        Args:
          epoch: what it did.
          metrics: its validation.
        """
        with self._writer.as_default(step=epoch.number):
            tf.summary.scalar("loss", epoch.loss)
            tf.summary.scalar("examples_per_second", epoch.examples / epoch.seconds)
            for name, value in metrics.items():
                tf.summary.scalar(f"valid_{name}", value)
        self._writer.flush()

    def _shown(self, metrics: dict[str, float]) -> str:
        text = " ".join(f"{name.upper()} {value:.4f}" for name, value in metrics.items())
        # Figures of ratings have no protocol.
        return f"{text} under {self._config.validation_protocol}" if "ndcg" in metrics else text
