"""Base of the models that are solved for and not trained by gradients.

Trained by trainer.training.solver; otherwise such a model is a Recommender as any.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator

from trainer.data.interactions import Interactions
from trainer.models.base import Recommender


class SolvedModel(Recommender):
    """A Recommender that sets its variables itself.

    Its variables are not trainable; batch size, learning rate and sampled
    negatives mean nothing to it.
    """

    @abc.abstractmethod
    def solve(self, histories: Interactions) -> Iterator[float]:
        """Sets the variables, an epoch at each step of the iterator.

        Args:
          histories: the interactions to learn from.

        Yields:
          The loss a training interaction after each epoch. A model in closed
          form yields once; the others go on for as long as they are asked.
        """
