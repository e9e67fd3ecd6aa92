"""The Model Garden's evaluation loss as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import RankMetric
from components.metrics.rank_outputs import RankOutputs
from components.metrics.table import RankTable


class EvaluationLoss(RankMetric):
    """Average the cross entropy of targets and sampled negatives, as the training loss does.

    N negatives stand beside a target here, t in training, so a negative weighs
    t / N, and all is scaled by (1 + N) / (1 + t); the mean over the 1 + N of a
    user then is (positive + t / N * sum of negatives) / (1 + t). Several
    targets count as their mean; those that the model's catalogue lacks do not
    count. Only scores that are logits give a loss that
    means anything. Source: TensorFlow Model Garden,
    official/recommendation/neumf_model.py, compute_eval_loss_and_metrics_helper.

    Args:
      name: of the metric.
      protocol: name of a protocol that samples.
      training_negatives: negatives a positive in training.
      source_digest: see RankMetric.
    """

    def __init__(
        self, name: str, protocol: str, training_negatives: int, source_digest: str = ""
    ) -> None:
        super().__init__(
            name, source_digest, protocol=protocol, training_negatives=training_negatives
        )
        self._protocol, self._training_negatives = protocol, training_negatives

    def values(self, table: RankTable) -> np.ndarray:
        """See RankMetric."""
        negatives = table.row(RankOutputs.candidates(self._protocol)) - table.count
        of_target = table.row(RankOutputs.positive_loss(self._protocol)) / table.count
        of_negative = table.row(RankOutputs.negative_loss(self._protocol)) / np.maximum(
            negatives, 1
        )
        trained = self._training_negatives
        return (of_target + trained * of_negative) / (1 + trained)

    def weights(self, table: RankTable) -> np.ndarray:
        """Return the protocol's row weights, 0 also for a row of no target that the model knows."""
        unknown = table.row(RankOutputs.positive_loss(self._protocol)) < 0
        return np.where(unknown, 0.0, table.row(RankOutputs.weight(self._protocol)))
