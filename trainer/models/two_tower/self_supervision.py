"""Two masked views of items, whose embeddings should agree.

Yao et al. 2020, "Self-supervised Learning for Large-scale Item
Recommendations" (arXiv 2007.12865), section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from trainer.config.two_tower import SelfSupervisionConfig

# Draws from a seed, int64 [2], what each of two views masks: bool [F] each.
Masks = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class SelfSupervision(tf.keras.layers.Layer):
    """Mask item features and contrast the embeddings of the views.

    Both views of a step mask the same features of all its items. Of F features
    a mask covers F / 2, rounded up, so that view and rest are about equal.

    Args:
      settings: pattern and temperature.
      columns: each feature as integer categories [C] of the catalog's items.
      widths: each feature's width in the item tower's input.

    Attributes:
      task: gives the contrastive loss of two views.
    """

    def __init__(
        self,
        settings: SelfSupervisionConfig,
        columns: Sequence[np.ndarray],
        widths: Sequence[int],
    ) -> None:
        super().__init__(name="self_supervision")
        self._masked = [
            self.add_weight(name=f"masked_{number}", shape=(width,), initializer="zeros")
            for number, width in enumerate(widths)
        ]
        self._masks = PATTERNS[settings.pattern](columns)
        self.task = tfrs.tasks.Retrieval(
            temperature=settings.temperature, remove_accidental_hits=True
        )

    def masks(self, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draw what each view masks.

        Args:
          seed: int64 [2], of the stateless draw.

        Returns:
          Two bool [F], True where a feature is masked.
        """
        return self._masks(seed)

    def view(self, parts: Sequence[tf.Tensor], mask: tf.Tensor) -> list[tf.Tensor]:
        """Put the learned vectors in the place of the masked features.

        Args:
          parts: F embedded features, float32 [K, width].
          mask: bool [F].

        Returns:
          The parts of the view.
        """
        return [
            tf.where(mask[number], self._masked[number], part) for number, part in enumerate(parts)
        ]

    def loss(self, left: tf.Tensor, right: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """Average the softmax cross entropy of each item's left view picking its right view.

        Yao et al. 2020, equation 1, with the cosine of the embeddings; other
        occurrences of the same item do not count.

        Args:
          left: float32 [K, D] embeddings of the first view.
          right: float32 [K, D] embeddings of the second view.
          positions: int32 [K], which items they are.

        Returns:
          float32 scalar.
        """
        total = self.task(
            tf.math.l2_normalize(left, axis=1),
            tf.math.l2_normalize(right, axis=1),
            candidate_ids=positions,
            compute_metrics=False,
            compute_batch_metrics=False,
        )
        return total / tf.cast(tf.size(positions), tf.float32)


def random_masks(columns: Sequence[np.ndarray]) -> Masks:
    """Mask random features, drawn for each view.

    Args:
      columns: F integer arrays [C].

    Returns:
      What draws the masks.
    """
    size = len(columns)

    def draw(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        ranks = tf.argsort(tf.argsort(tf.random.stateless_uniform([2, size], seed)))
        left, right = tf.unstack(ranks < (size + 1) // 2)
        return left, right

    return draw


def complementary_masks(columns: Sequence[np.ndarray]) -> Masks:
    """Mask random features, and in the second view what the first one keeps.

    Args:
      columns: F integer arrays [C].

    Returns:
      What draws the masks.
    """
    draw = random_masks(columns)

    def complementary(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        left, _ = draw(seed)
        return left, ~left

    return complementary


def correlated_masks(columns: Sequence[np.ndarray]) -> Masks:
    """Mask a random feature and those that tell most about it, and the rest in the second view.

    Args:
      columns: F integer arrays [C].

    Returns:
      What draws the masks.
    """
    by_seed = most_informative(mutual_information(columns))

    def draw(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        first = tf.random.stateless_uniform([], seed, 0, len(by_seed), tf.int32)
        left = tf.gather(tf.constant(by_seed), first)
        return left, ~left

    return draw


# By the names of SelfSupervisionConfig.pattern; with "none" there is no self-supervision.
PATTERNS: dict[str, Callable[[Sequence[np.ndarray]], Masks]] = {
    "rfm": random_masks,
    "rfm-complementary": complementary_masks,
    "cfm": correlated_masks,
}


def mutual_information(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Compute the mutual information of categorical features over the catalog's items.

    I(x, y) = sum over categories of p(x, y) log(p(x, y) / (p(x) p(y))).

    Args:
      columns: F integer arrays [C].

    Returns:
      float64 [F, F], in nats; the diagonal holds the entropies.
    """
    codes = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in columns]

    def entropy(values: np.ndarray) -> float:
        share = np.unique(values, return_counts=True)[1] / len(values)
        return float(-(share * np.log(share)).sum())

    single = [entropy(code) for code in codes]
    size = len(codes)
    result = np.zeros((size, size))
    for left in range(size):
        for right in range(size):
            pair = codes[left].astype(np.int64) * (codes[right].max() + 1) + codes[right]
            result[left, right] = single[left] + single[right] - entropy(pair)
    return result


def most_informative(information: np.ndarray) -> np.ndarray:
    """Choose, for each feature, itself and those that tell most about it.

    Args:
      information: float [F, F], mutual information.

    Returns:
      bool [F, F]; row s masks F / 2 features, rounded up, s among them; of
      equally telling ones the first.
    """
    size = len(information)
    masks = np.zeros((size, size), bool)
    for seed in range(size):
        others = information[seed].copy()
        others[seed] = np.inf
        masks[seed, np.argsort(-others, kind="stable")[: (size + 1) // 2]] = True
    return masks
