"""What every recommender is: embeddings of both sides, a score, and how it learns.

A new model is a subclass of Recommender, or of SolvedModel, in a module of its
own, and a row of trainer.config.models.MODELS.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator, Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs

from trainer.config.sequence import SequenceConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.catalog import Catalog, CatalogTensors
from trainer.data.interactions import Interactions


@dataclasses.dataclass(frozen=True)
class DataSizes:
    """Hold what a model must know of the data to size its tables.

    Attributes:
      num_users: user vocabulary rows and out-of-vocabulary buckets.
      context_sizes: rows of each context feature's table, in the order of
        schema.features.USER_CONTEXT_INDICES.
      catalog: the candidate items, `counts` being the training interactions.
      unknown_users: how many of num_users are out-of-vocabulary buckets.
    """

    num_users: int
    context_sizes: Sequence[int]
    catalog: Catalog
    unknown_users: int = 0


class Recommender(tfrs.Model, abc.ABC):
    """Score users against items by way of embeddings.

    Whatever depends on one side only belongs in that side's code, computed
    once a user or item; `score` and `score_all` do what needs the pair. Users
    and items are given as indices into the user vocabulary and positions in
    the catalog.

    Attributes:
      history_limit: newest items of a user's history that user_embedding reads; 0
        reads none.
      wide_scores: whether score_all keeps many floats a pair while it computes, so
        that fewer users should be scored at a time.
      predicts_ratings: whether `predict_ratings` does; such a model's batches
        bring ratings.
      cross_replica: whether compute_loss reads what other replicas have.
      static_shapes: whether a batch's shape alone gives the shapes of all tensors of
        compute_loss, so that XLA can compile it.
      sequences: how the batches of whole histories are made that compute_loss takes;
        None where it takes batches of positives.
      batches_by_user: whether the positives of a user should stand in one batch, as far
        as they fit.
      user_features: of schema.features GENDER, AGE and OCCUPATION, those that
        user_embedding reads.
    """

    history_limit = 0
    wide_scores = False
    predicts_ratings = False
    cross_replica = False
    static_shapes = True
    sequences: SequenceConfig | None = None
    batches_by_user = False
    user_features: Sequence[str] = ()

    def __init__(self, catalog: CatalogTensors) -> None:
        super().__init__()
        self.catalog = catalog

    @classmethod
    @abc.abstractmethod
    def from_config(cls, config: TrainerConfig, sizes: DataSizes) -> Recommender:
        """Build the model that a configuration describes.

        It stands in for the method by which Keras copies models, which nothing
        here does.

        Args:
          config: of the training; the model's own settings are its sections.
          sizes: of the data.

        Returns:
          The model with initial weights, all its variables made.
        """

    @classmethod
    def pretraining(cls, config: TrainerConfig) -> Sequence[TrainerConfig]:
        """Name the trainings that come before the model's own.

        Args:
          config: of the training.

        Returns:
          One configuration a stage, in their order; none unless overridden.
        """
        return ()

    def start_from(self, pretrained: Sequence[Recommender]) -> None:
        """Take over what the stages of `pretraining` reached.

        Args:
          pretrained: their models, in that order.
        """
        raise NotImplementedError(f"{type(self).__name__} is not pretrained")

    @abc.abstractmethod
    def user_embedding(self, users: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Embed users.

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
        """Embed items.

        Args:
          positions: int32 [K], positions in the catalog.
          training: whether dropout and the like act.

        Returns:
          float32 [K, D] (D may differ from the users').
        """

    @abc.abstractmethod
    def score(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """Score K items for each of B users.

        Args:
          user_embeddings: float32 [B, D].
          item_embeddings: float32 [B, K, D].

        Returns:
          float32 [B, K]; higher is better.
        """

    @abc.abstractmethod
    def score_all(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """Score C items shared by B users.

        Args:
          user_embeddings: float32 [B, D].
          item_embeddings: float32 [C, D].

        Returns:
          float32 [B, C].
        """

    @abc.abstractmethod
    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Compute what training minimizes, without the layers' own regularization.

        Args:
          inputs: a batch of trainer.data.batches.TrainingData, or of
            trainer.data.sequences.SequenceData with `sequences`.
          training: whether dropout and the like act.

        Returns:
          float32 scalar, a mean over the batch.
        """

    def tables(self) -> dict[str, Sequence[tf.Variable]]:
        """Name the variables whose first axis runs over a vocabulary.

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
        """Name the variables that follow a training and are no part of what it learns.

        Returns:
          Those that a warm start leaves as they are.
        """
        return ()

    def item_similarity(self, positions: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """Compare some items with every item: the cosine of their embeddings.

        Args:
          positions: int32 [B], positions in the catalog.
          item_embeddings: float32 [C, D], of the whole catalog.

        Returns:
          float32 [B, C]; higher is more alike.
        """
        unit = tf.math.l2_normalize(item_embeddings, axis=1)
        return tf.matmul(tf.gather(unit, positions), unit, transpose_b=True)

    def predict_ratings(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """Predict ratings, in a model that `predicts_ratings`.

        Args:
          user_embeddings: float32 [B, D].
          item_embeddings: float32 [B, D], of one item a user.

        Returns:
          float32 [B], in the scale of the training ratings.
        """
        raise NotImplementedError(f"{type(self).__name__} predicts no ratings")


class SolvedModel(Recommender):
    """Set the variables of a Recommender without gradients.

    Its variables are not trainable; batch size, learning rate and sampled
    negatives mean nothing to it.
    """

    @abc.abstractmethod
    def solve(self, histories: Interactions) -> Iterator[float]:
        """Set the variables, an epoch at each step of the iterator.

        Args:
          histories: the interactions to learn from.

        Yields:
          The loss a training interaction after each epoch. A model in closed
          form yields once; the others go on for as long as they are asked.
        """

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Refuse: there is no loss of a batch."""
        raise NotImplementedError(f"{type(self).__name__} is solved for, not trained by batches")
