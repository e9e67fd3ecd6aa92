"""Two towers: embeddings of users and items whose dot product is the score.

Trained with the in-batch sampled softmax of TFRS (Yi et al. 2019,
"Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
Recommendations") or against sampled negatives.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from schema import features
from trainer.config.trainer import TrainerConfig
from trainer.config.two_tower import FULL_SOFTMAX, TwoTowerConfig
from trainer.data.batches import HISTORY, POSITIVE, ROW, STEP
from trainer.data.catalog import CatalogTensors
from trainer.data.sequences import TARGETS
from trainer.models.base import DataSizes, Recommender
from trainer.models.losses import LOSSES
from trainer.models.pairs import pair_embeddings, sampled_items
from trainer.models.two_tower import cross_replica, distinct_softmax
from trainer.models.two_tower.distinct_softmax import Choices, Distinct
from trainer.models.two_tower.draws import Draws, Purpose
from trainer.models.two_tower.features import ItemFeatures, UserFeatures, make_layers
from trainer.models.two_tower.sampling_probability import SamplingProbability
from trainer.models.two_tower.self_supervision import SelfSupervision
from trainer.models.two_tower.sequence import catalog_softmax
from trainer.models.two_tower.weights import log_temperature, step_counter


class TwoTower(Recommender):
    """Score by f(user features) . g(item features).

    Args:
      settings: features, layers and loss.
      sizes: of the data.
      seed: of uniform negatives and masks.

    Raises:
      UserError: self-supervision on a catalog with too few features.
    """

    def __init__(self, settings: TwoTowerConfig, sizes: DataSizes, seed: int = 0) -> None:
        catalog = CatalogTensors(sizes.catalog)
        super().__init__(catalog)
        self._settings = settings
        self.static_shapes = not distinct_softmax.fits(settings)
        self.cross_replica = settings.softmax.cross_replica_negatives
        self.batches_by_user = settings.loss == FULL_SOFTMAX
        self._draws = Draws(seed, catalog.size, settings.softmax)
        self.user_features = settings.read_features
        self.history_limit = settings.history_limit if settings.reads_history else 0
        self._items = ItemFeatures(settings, catalog)
        self._users = UserFeatures(settings, sizes, self._items, self._item_rows)
        self.sequences = settings.sequence if settings.reads_sequence else None
        self._user_layers = make_layers(settings, "user_tower")
        self._item_layers = make_layers(settings, "item_tower")
        if settings.learn_temperature:
            self._log_temperature = log_temperature(self, settings.temperature)
        self._steps = step_counter(self)
        softmax = settings.softmax
        self.task = tfrs.tasks.Retrieval(
            remove_accidental_hits=softmax.remove_accidental_hits,
            num_hard_negatives=softmax.hard_negatives or None,
        )
        counts = sizes.catalog.counts
        shares = (counts / max(int(counts.sum()), 1)).astype(np.float32)
        self._probability = SamplingProbability(softmax, shares)
        self._build_layers()

    @classmethod
    def from_config(cls, config: TrainerConfig, sizes: DataSizes) -> TwoTower:
        """See Recommender."""
        return cls(config.section(TwoTowerConfig), sizes, config.seed)

    def _build_layers(self) -> None:
        """Make all variables; a loop under a strategy needs them before its first step."""
        zero = tf.zeros([1], tf.int32)
        parts = self._items.parts(zero)
        self._finish(self._item_layers, parts, False)
        users = dict.fromkeys((features.USER_INDEX, *features.USER_CONTEXT), zero)
        users[HISTORY] = tf.zeros([1, self.history_limit], tf.int32)
        self.user_embedding(users)
        if self._settings.ssl.pattern != "none":
            self.self_supervision = SelfSupervision(
                self._settings.ssl,
                dict(zip(self._items.names, self._items.categories(), strict=True)),
                [part.shape[1] for part in parts],
                self.catalog.source.counts,
            )

    @property
    def temperature(self) -> tf.Tensor:
        """Return what divides the dot products in the losses, float32 scalar."""
        if self._settings.learn_temperature:
            return tf.exp(self._log_temperature)
        return tf.constant(self._settings.temperature)

    def tables(self) -> dict[str, Sequence[tf.Variable]]:
        """See Recommender."""
        return {**self._items.tables(), **self._users.tables()}

    def training_state(self) -> Sequence[tf.Variable]:
        """See Recommender: the steps, and the frequencies that count by them."""
        return [self._steps, *self._probability.variables]

    def user_embedding(self, users: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See Recommender: the user tower's output, float32 [B, D]."""
        return self._finish(self._user_layers, self._users.parts(users), training)

    def item_embedding(self, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Recommender: the item tower's output, float32 [K, D]."""
        return self._scaled(self._item_rows(positions, training))

    def _item_rows(self, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self._item_layers(tf.concat(self._items.parts(positions), axis=1), training=training)

    def score(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: dot products, float32 [B, K]."""
        return tf.linalg.matvec(item_embeddings, user_embeddings)

    def score_all(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: dot products, float32 [B, C]."""
        return tf.matmul(user_embeddings, item_embeddings, transpose_b=True)

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Add up the configured loss and, weighted by alpha, that of self-supervision.

        Args:
          inputs: a batch of trainer.data.batches.TrainingData, with negatives unless
            the loss is the softmax.
          training: switches dropout on, and counts the step.

        Returns:
          float32 scalar.
        """
        if self.sequences is not None:
            return self._next_items(inputs, training)
        return self.loss_and_embeddings(inputs, training)[0]

    def loss_and_embeddings(
        self, inputs: dict[str, tf.Tensor], training: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Compute the loss, and what a further task may learn from.

        Args:
          inputs: see compute_loss.
          training: see compute_loss.

        Returns:
          The loss, float32 scalar; the embeddings of users and positives, float32
          [B, D].
        """
        if training:
            self._steps.assign_add(1)
        step = inputs[STEP] if STEP in inputs else tf.identity(self._steps)
        if self._settings.samples_negatives:
            loss, users, positives = self._sampled(inputs, training)
        elif self._settings.loss == FULL_SOFTMAX:
            loss, users, positives = self._full_softmax(inputs, training)
        elif self.static_shapes:
            loss, users, positives = self._plain_softmax(inputs, step, training)
        else:
            loss, users, positives = self._distinct_softmax(inputs, step, training)
        if self._settings.ssl.pattern != "none":
            count = tf.size(inputs[POSITIVE])
            loss += self._settings.ssl.alpha * self._self_supervised(count, step, training)
        return loss, users, positives

    def _plain_softmax(
        self, inputs: dict[str, tf.Tensor], step: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Yi et al. 2019, equations 3 and 4: mean softmax cross entropy; the rows' embeddings.

        A row's own item is the candidate of its number, so a replica's items come first.
        """
        users = self.user_embedding(inputs, training)
        own = tf.size(inputs[POSITIVE])
        candidates = self._draws.with_uniform(inputs[POSITIVE], step)
        embeddings = self.item_embedding(candidates, training)
        positives = embeddings[:own]
        candidates, embeddings = self._exchanged(candidates, own), self._exchanged(embeddings, own)
        total = self.task(
            users / self.temperature,
            embeddings,
            candidate_sampling_probability=self._probability.in_step(
                candidates, candidates, step, training
            ),
            candidate_ids=candidates,
            compute_metrics=False,
            compute_batch_metrics=False,
        )
        return total / tf.cast(own, tf.float32), users, positives

    def _distinct_softmax(
        self, inputs: dict[str, tf.Tensor], step: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Compute the same as _plain_softmax from each user and item once."""
        own = tf.size(inputs[POSITIVE])
        row_users, users = self._distinct_users(inputs, training)
        candidates = self._draws.with_uniform(inputs[POSITIVE], step)
        if self.cross_replica:
            # What replicas exchange has the same shape on each.
            embeddings = self._exchanged(self.item_embedding(candidates, training), own)
            candidates = self._exchanged(candidates, own)
            items = Distinct.of(candidates)
            embeddings = tf.gather(embeddings, items.first)
        else:
            items = Distinct.of(candidates)
            embeddings = self.item_embedding(tf.gather(candidates, items.first), training)
        ids = tf.gather(candidates, items.first)
        probability = self._probability.in_step(ids, candidates, step, training)
        choices = Choices(row_users, items.number[:own], items.copies, probability)
        total = distinct_softmax.cross_entropy(
            users / self.temperature, embeddings, choices, self._settings.softmax
        )
        positives = tf.gather(embeddings, choices.own)
        return total / tf.cast(own, tf.float32), tf.gather(users, row_users), positives

    def _distinct_users(
        self, inputs: dict[str, tf.Tensor], training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Embed each user once, but rows apart that read histories without their own positives."""
        if self.history_limit:
            users = self.user_embedding(inputs, training)
            return tf.range(tf.shape(users)[0]), users
        rows = Distinct.of(inputs[ROW])
        names = (features.USER_INDEX, *features.USER_CONTEXT)
        once = {name: tf.gather(inputs[name], rows.first) for name in names}
        return rows.number, self.user_embedding(once, training)

    def _exchanged(self, values: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
        """Put those of other replicas' positives behind those of the own ones, where they count."""
        if not self.cross_replica:
            return values
        return tf.concat([cross_replica.gathered(values[:own]), values[own:]], axis=0)

    def _full_softmax(
        self, inputs: dict[str, tf.Tensor], training: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Mean cross entropy of picking the positive out of the catalog; the rows' embeddings."""
        positions = inputs[POSITIVE]
        items = self.item_embedding(tf.range(self.catalog.size), training)
        if self.static_shapes:
            users = self.user_embedding(inputs, training)
            logits = self.score_all(users / self.temperature, items)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(positions, logits)
            return tf.reduce_mean(losses), users, tf.gather(items, positions)
        row_users, users = self._distinct_users(inputs, training)
        choices = Choices(row_users, positions, tf.ones([self.catalog.size]))
        scaled = users / self.temperature
        total = distinct_softmax.cross_entropy(scaled, items, choices, self._settings.softmax)
        loss = total / tf.cast(tf.size(positions), tf.float32)
        return loss, tf.gather(users, row_users), tf.gather(items, positions)

    def _next_items(self, inputs: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        """Mean cross entropy of picking the next item out of the catalog at all positions."""
        rows = self._item_rows(tf.range(self.catalog.size), training)
        parts = self._users.position_parts(inputs, rows, training)
        users = self._finish(self._user_layers, parts, training) / self.temperature
        users = tf.reshape(users, [inputs[HISTORY].shape[0], -1, users.shape[1]])
        small, items = self._settings.has_small_logits, self._scaled(rows)
        total = catalog_softmax.cross_entropy(users, items, inputs[POSITIVE], small)
        return total / inputs[TARGETS]

    def _sampled(
        self, inputs: dict[str, tf.Tensor], training: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Mean loss over the sampled negatives; the embeddings of users and positives."""
        users = self.user_embedding(inputs, training)
        alone = not self._settings.batch_norm
        embeddings = pair_embeddings(self, sampled_items(inputs), training, whole_catalog=alone)
        loss = LOSSES[self._settings.loss]
        scores = self.score(users / self.temperature, embeddings)
        return loss(scores, self._settings.margin), users, embeddings[:, 0]

    def _self_supervised(self, count: tf.Tensor, step: tf.Tensor, training: bool) -> tf.Tensor:
        """Yao et al. 2020, section 3.4: on items drawn uniformly, so that rare ones learn too."""
        positions = self._draws.items(count, step, Purpose.VIEWED)
        drawn = None
        if not self.static_shapes:
            drawn = Distinct.of(positions)
            positions = tf.gather(positions, drawn.first)
        parts = self._items.parts(positions)
        masks = self.self_supervision.masks(self._draws.seed(step, Purpose.MASKS))
        views = [tf.concat(self.self_supervision.view(parts, mask), axis=1) for mask in masks]
        left, right = [self._item_layers(view, training=training) for view in views]
        return self.self_supervision.loss(left, right, positions, drawn)

    def _finish(
        self, layers: tf.keras.Sequential, parts: list[tf.Tensor], training: bool
    ) -> tf.Tensor:
        return self._scaled(layers(tf.concat(parts, axis=1), training=training))

    def _scaled(self, output: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(output, axis=1) if self._settings.normalize else output
