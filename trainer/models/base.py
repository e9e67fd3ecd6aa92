"""What every recommender is: encoders for both sides, a score, a loss.

A new model subclasses Recommender, adds its settings to trainer.config and one
line to trainer.models.registry.BUILDERS.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs

from trainer.data.catalog import CatalogTensors


class Recommender(tfrs.Model, abc.ABC):
    """A model that scores users against items by way of embeddings.

    Whatever depends on one side only belongs in that side's code, computed
    once a user or item; `score` and `score_all` do what needs the pair. Users
    and items are given as indices into the user vocabulary and positions in
    the catalog.

    Attributes:
      history_limit: newest items of a user's history that user_embedding reads; 0
        reads none.
      wide_scores: whether score_all keeps many floats a pair while it computes, so
        that fewer users should be scored at a time.
    """

    history_limit = 0
    wide_scores = False
    # Whether `predict_ratings` predicts ratings; such a model's batches bring ratings.
    predicts_ratings = False
    # Whether compute_loss reads what other replicas have.
    cross_replica = False

    def __init__(self, catalog: CatalogTensors) -> None:
        super().__init__()
        self.catalog = catalog

    @abc.abstractmethod
    def user_embedding(self, users: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Codes of users.

        Args:
          users: int32 [B] tensors by the names schema.features.USER_INDEX and
            USER_CONTEXT and, where history_limit is set, HISTORY of
            trainer.data.batches, int32 [B, history_limit].
          training: whether dropout and the like act.

        Returns:
          float32 [B, D].
        """

    @abc.abstractmethod
    def item_embedding(self, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Codes of items.

        Args:
          positions: int32 [K], positions in the catalog.
          training: whether dropout and the like act.

        Returns:
          float32 [K, D] (D may differ from the users').
        """

    @abc.abstractmethod
    def score(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """Scores of K items for each of B users.

        Args:
          user_embeddings: float32 [B, D].
          item_embeddings: float32 [B, K, D].

        Returns:
          float32 [B, K]; higher is better.
        """

    @abc.abstractmethod
    def score_all(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """Scores of C items shared by B users.

        Args:
          user_embeddings: float32 [B, D].
          item_embeddings: float32 [C, D].

        Returns:
          float32 [B, C].
        """

    def tables(self) -> dict[str, Sequence[tf.Variable]]:
        """The variables whose first axis runs over a vocabulary.

        A warm start carries their rows over by id. The first axis of any other
        variable means the same whatever the data hold.

        Returns:
          Variables by the name of the vocabulary: of schema.features USER_ID,
          ITEM_ID (of CatalogTensors.num_rows rows), CATALOG (a row an item), GENRES,
          TITLE (its words), GENDER or OCCUPATION.
        """
        return {}

    def histories(self) -> tf.RaggedTensor | None:
        """Return the interactions of a model that keeps those it was trained on.

        Returns:
          Ragged int32 [I, None], catalog positions by user index, or None. What is
          kept here an export does not store again.
        """
        return None

    def training_state(self) -> Sequence[tf.Variable]:
        """The variables that follow a training and are no part of what it learns.

        Returns:
          Those that a warm start leaves as they are.
        """
        return ()

    def item_similarity(self, positions: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """How alike some items are to every item: the cosine of their embeddings.

        Args:
          positions: int32 [B], positions in the catalog.
          item_embeddings: float32 [C, D], of the whole catalog.

        Returns:
          float32 [B, C]; higher is more alike.
        """
        unit = tf.math.l2_normalize(item_embeddings, axis=1)
        return tf.matmul(tf.gather(unit, positions), unit, transpose_b=True)

    def predict_ratings(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """Predicted ratings, in a model that `predicts_ratings`.

        Args:
          user_embeddings: float32 [B, D].
          item_embeddings: float32 [B, D], of one item a user.

        Returns:
          float32 [B], in the scale of the training ratings.
        """
        raise NotImplementedError(f"{type(self).__name__} predicts no ratings")
