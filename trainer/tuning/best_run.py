"""The best trial's training, handed over to the Trainer, which need not repeat it."""

from __future__ import annotations

import os

import tensorflow as tf

from trainer.config.evaluation import EvaluationConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.dataset import Dataset
from trainer.distribution.cluster_task import read_cluster_task
from trainer.distribution.strategy import resolve_strategy
from trainer.training.checkpoint import digest


def name_of_run(config: TrainerConfig, evaluation: EvaluationConfig, dataset: Dataset) -> str:
    """Name a training by all that decides what it chooses on `valid`.

    Settings that act after the choice or change no result are left out.

    Args:
      config: of the training, which starts from random weights.
      evaluation: how the validation ranks.
      dataset: what is learned from.

    Returns:
      A digest; two trainings of one name end with the same weights, as far as
      trainings repeat on these devices.
    """
    config = resolve_strategy(config, read_cluster_task())
    config = config.replace(refit=False, checkpoint_every=1, export_tflite=False)
    devices = [device.device_type for device in tf.config.list_physical_devices()]
    return digest(config, evaluation, dataset, devices, tf.__version__)


class TrialStates:
    """Keep the final training state of the best trial so far.

    Args:
      folder: where, local or a URI.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def folder_of(self, number: int) -> str:
        """Name the folder of a trial's state, there or not.

        Args:
          number: of the trial.

        Returns:
          The folder, as trainer.training.train takes one for states.
        """
        return os.path.join(self._folder, f"trial-{number}")

    def drop(self, number: int) -> None:
        """Remove a trial's state, if there is one.

        Args:
          number: of the trial.
        """
        if tf.io.gfile.exists(self.folder_of(number)):
            tf.io.gfile.rmtree(self.folder_of(number))

    def keep(self, number: int) -> None:
        """Remove the states of all other trials.

        Args:
          number: of the best trial.
        """
        for other in range(1, number):
            self.drop(other)
