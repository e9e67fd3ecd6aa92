"""EASE: the linear item-item model with a zero diagonal, in closed form.

Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from schema.errors import UserError
from trainer.config.baselines import EASEConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.catalog import CatalogTensors
from trainer.data.interactions import Interactions
from trainer.models.base import DataSizes
from trainer.models.item_based.base import ItemWeights, common_users
from trainer.ops.memory import usable_memory

# Float32 matrices of items x items held at the peak of a training: the
# variable, the best epoch's copy, Gram matrix, inverse and LAPACK's own.
_MATRICES = 5


class EASE(ItemWeights):
    """Score by X B with B = argmin |X - X B|^2 + l2 |B|^2, diag B = 0.

    Args:
      settings: regularization.
      num_users: user indices.
      num_interactions: of the training.
      catalog: the items.

    Raises:
      UserError: the memory that may be used cannot hold the items x items weights.
    """

    def __init__(
        self,
        settings: EASEConfig,
        num_users: int,
        num_interactions: int,
        catalog: CatalogTensors,
    ) -> None:
        super().__init__(num_users, num_interactions, catalog)
        needed, present = _MATRICES * 4 * catalog.size**2, usable_memory()
        if needed > present:
            raise UserError(
                f"trainer.model: ease on {catalog.size:,} items needs {needed / 2**30:.1f} GiB of "
                f"memory for its item-item weights, {present / 2**30:.1f} GiB may be used here; "
                f"expected fewer items (data.ingest) or another model such as itemknn."
            )
        self._l2 = settings.l2
        self._weights = self.add_weight(
            name="weights",
            shape=(catalog.size, catalog.size),
            initializer="zeros",
            trainable=False,
        )

    @classmethod
    def from_config(cls, config: TrainerConfig, sizes: DataSizes) -> EASE:
        """See Recommender."""
        return cls(
            config.section(EASEConfig),
            sizes.num_users,
            int(sizes.catalog.counts.sum()),
            CatalogTensors(sizes.catalog),
        )

    def solve(self, histories: Interactions) -> Iterator[float]:
        """See SolvedModel; the loss is the minimized one.

        With P = (X^T X + l2 I)^-1, B = I - P / diag P by column (equation 8);
        put in, |X - X B|^2 + l2 |B|^2 = sum_i (1 / P_ii - l2).
        """
        size = self.catalog.size
        gram = np.empty((size, size), np.float32)
        for row, counts in enumerate(common_users(histories, size)):
            gram[row] = counts
        gram[np.diag_indices(size)] += self._l2
        inverse = tf.linalg.inv(gram).numpy()
        del gram
        diagonal = np.diag(inverse).astype(np.float64)
        inverse /= -np.diag(inverse)
        np.fill_diagonal(inverse, 0.0)
        self._weights.assign(inverse)
        self.remember(histories)
        yield float(np.sum(1.0 / diagonal - self._l2) / len(histories.positions))

    def weigh(self, seen: tf.Tensor) -> tf.Tensor:
        """See ItemWeights."""
        return tf.matmul(seen, self._weights)
