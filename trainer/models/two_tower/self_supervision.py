"""Two masked views of items, whose embeddings should agree.

Yao et al. 2020, "Self-supervised Learning for Large-scale Item
Recommendations" (arXiv 2007.12865), section 3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from schema.errors import UserError
from trainer.config.two_tower import INTERACTIONS, LEARNED, SelfSupervisionConfig, SoftmaxConfig
from trainer.models.two_tower.distinct_softmax import Choices, Distinct, cross_entropy

# Draws from a seed, int64 [2], what each of two views masks: bool [M] each.
Masks = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class Maskable:
    """Hold what the patterns choose the masked features by.

    Attributes:
      columns: each of M features as integer categories [C] of the catalog's items.
      num_masked: how many of them a view masks.
      weights: float [C], how much each item counts; None where all count alike.
    """

    columns: Sequence[np.ndarray]
    num_masked: int
    weights: np.ndarray | None


class SelfSupervision(tf.keras.layers.Layer):
    """Mask item features and contrast the embeddings of the views.

    Both views of a step mask the same features of all its items. Of M features
    a mask covers M / 2, rounded up, unless the settings name another number.

    Args:
      settings: patterns and loss.
      columns: the F features that the catalog has, by name, as integer
        categories [C] of its items.
      widths: each feature's width in the item tower's input.
      counts: int64 [C], each item's training interactions.

    Attributes:
      task: gives the contrastive loss of two views.

    Raises:
      UserError: the catalog has too few features.
    """

    def __init__(
        self,
        settings: SelfSupervisionConfig,
        columns: Mapping[str, np.ndarray],
        widths: Sequence[int],
        counts: np.ndarray,
    ) -> None:
        super().__init__(name="self_supervision")
        learned = settings.placeholder == LEARNED
        self._masked = [
            self.add_weight(name=f"masked_{number}", shape=(width,), initializer="zeros")
            if learned
            else tf.zeros([width])
            for number, width in enumerate(widths)
        ]
        maskable = [name for name in columns if name not in settings.keep]
        num_masked = settings.num_masked or (len(maskable) + 1) // 2
        if not num_masked < len(maskable):
            raise UserError(
                f"two_tower.ssl.pattern: self-supervision masks {num_masked} item features and "
                f"keeps others; expected at least {num_masked + 1} that the catalog has besides "
                f"two_tower.ssl.keep, got {', '.join(maskable) or 'none'}."
            )
        weights = counts if settings.information == INTERACTIONS else None
        chosen_from = Maskable([columns[name] for name in maskable], num_masked, weights)
        self._masks = PATTERNS[settings.pattern](chosen_from)
        # Of each feature the place in the masks; what is kept has none.
        self._places = [maskable.index(name) if name in maskable else None for name in columns]
        self._temperature = settings.temperature
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
        left, right = (self._of_all(mask) for mask in self._masks(seed))
        return left, right

    def _of_all(self, mask: tf.Tensor) -> tf.Tensor:
        return tf.stack([False if at is None else mask[at] for at in self._places])

    def view(self, parts: Sequence[tf.Tensor], mask: tf.Tensor) -> list[tf.Tensor]:
        """Put their placeholders where features are masked.

        Args:
          parts: F embedded features, float32 [K, width].
          mask: bool [F].

        Returns:
          The parts of the view.
        """
        return [
            tf.where(mask[number], self._masked[number], part) for number, part in enumerate(parts)
        ]

    def loss(
        self,
        left: tf.Tensor,
        right: tf.Tensor,
        positions: tf.Tensor,
        drawn: Distinct | None = None,
    ) -> tf.Tensor:
        """Average the softmax cross entropy of each item's left view picking its right view.

        Yao et al. 2020, equation 1, with the cosine of the embeddings; other
        occurrences of the same item do not count.

        Args:
          left: float32 [K, D] embeddings of the first view.
          right: float32 [K, D] embeddings of the second view.
          positions: int32 [K], which items they are.
          drawn: of the drawn items, where the K ones are the distinct ones of them;
            None where they are all.

        Returns:
          float32 scalar.
        """
        left, right = (tf.math.l2_normalize(view, axis=1) for view in (left, right))
        if drawn is not None:
            choices = Choices(drawn.number, drawn.number, drawn.copies)
            total = cross_entropy(left / self._temperature, right, choices, SoftmaxConfig())
            return total / tf.cast(tf.size(drawn.number), tf.float32)
        total = self.task(
            left,
            right,
            candidate_ids=positions,
            compute_metrics=False,
            compute_batch_metrics=False,
        )
        return total / tf.cast(tf.size(positions), tf.float32)


def random_masks(maskable: Maskable) -> Masks:
    """Mask random features, drawn for each view.

    Args:
      maskable: the features.

    Returns:
      What draws the masks.
    """
    size = len(maskable.columns)

    def draw(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        ranks = tf.argsort(tf.argsort(tf.random.stateless_uniform([2, size], seed)))
        left, right = tf.unstack(ranks < maskable.num_masked)
        return left, right

    return draw


def complementary_masks(maskable: Maskable) -> Masks:
    """Mask random features, and in the second view what the first one keeps.

    Args:
      maskable: the features.

    Returns:
      What draws the masks.
    """
    draw = random_masks(maskable)

    def complementary(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        left, _ = draw(seed)
        return left, ~left

    return complementary


def correlated_masks(maskable: Maskable) -> Masks:
    """Mask a random feature and those that tell most about it, and the rest in the second view.

    Args:
      maskable: the features.

    Returns:
      What draws the masks.
    """
    information = mutual_information(maskable.columns, maskable.weights)
    by_seed = most_informative(information, maskable.num_masked)

    def draw(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        first = tf.random.stateless_uniform([], seed, 0, len(by_seed), tf.int32)
        left = tf.gather(tf.constant(by_seed), first)
        return left, ~left

    return draw


# By the names of SelfSupervisionConfig.pattern; with "none" there is no self-supervision.
PATTERNS: dict[str, Callable[[Maskable], Masks]] = {
    "rfm": random_masks,
    "rfm-complementary": complementary_masks,
    "cfm": correlated_masks,
}


def mutual_information(
    columns: Sequence[np.ndarray], weights: np.ndarray | None = None
) -> np.ndarray:
    """Compute the mutual information of categorical features over the catalog's items.

    I(x, y) = sum over categories of p(x, y) log(p(x, y) / (p(x) p(y))).

    Args:
      columns: F integer arrays [C].
      weights: float [C], not all zero, how much each item counts; None where all
        count alike.

    Returns:
      float64 [F, F], in nats; the diagonal holds the entropies.
    """
    codes = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in columns]

    def entropy(values: np.ndarray) -> float:
        counts = np.bincount(np.unique(values, return_inverse=True)[1], weights)
        share = counts[counts > 0] / counts.sum()
        return float(-(share * np.log(share)).sum())

    single = [entropy(code) for code in codes]
    size = len(codes)
    result = np.zeros((size, size))
    for left in range(size):
        for right in range(size):
            pair = codes[left].astype(np.int64) * (codes[right].max() + 1) + codes[right]
            result[left, right] = single[left] + single[right] - entropy(pair)
    return result


def most_informative(information: np.ndarray, num_masked: int) -> np.ndarray:
    """Choose, for each feature, itself and those that tell most about it.

    Args:
      information: float [F, F], mutual information.
      num_masked: how many to choose.

    Returns:
      bool [F, F]; row s masks num_masked features, s among them; of equally
      telling ones the first.
    """
    size = len(information)
    masks = np.zeros((size, size), bool)
    for seed in range(size):
        others = information[seed].copy()
        others[seed] = np.inf
        masks[seed, np.argsort(-others, kind="stable")[:num_masked]] = True
    return masks
