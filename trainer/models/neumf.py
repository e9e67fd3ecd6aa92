"""NeuMF: generalized matrix factorization and an MLP over shared id tables.

He et al. 2017, "Neural Collaborative Filtering", section 3.3, with the table
layout of the TensorFlow Model Garden: one row an id, its first part for GMF
and the rest for the MLP.
"""

from __future__ import annotations

import tensorflow as tf

from schema import features
from trainer.catalog import CatalogTensors
from trainer.config import NeuMFConfig
from trainer.input import NEGATIVES, POSITIVE
from trainer.models.base import Recommender


class NeuMF(Recommender):
    """score(u, i) = w . [p_u * q_i ; relu-layers([m_u ; m_i])] + b.

    The first MLP layer is linear in the concatenation, W [m_u; m_i] =
    W_u m_u + W_i m_i, so each half belongs to its side's code and is computed
    once a user or item instead of once a pair.

    Args:
      settings: widths and regularization.
      num_users: rows of the user table.
      catalog: the items.
    """

    def __init__(self, settings: NeuMFConfig, num_users: int, catalog: CatalogTensors) -> None:
        super().__init__(catalog)
        self._gmf = settings.embedding_dim
        self._half = settings.hidden_units[0] // 2
        regularizers = [tf.keras.regularizers.L2(l2) if l2 else None for l2 in settings.l2_mlp]
        table_l2 = tf.keras.regularizers.L2(settings.l2_mf) if settings.l2_mf else None
        width = self._gmf + self._half

        def table(name: str, rows: int) -> tf.Variable:
            return self.add_weight(
                name=name,
                shape=(rows, width),
                initializer="glorot_uniform",
                regularizer=table_l2,
            )

        self._users = table("user_embedding", num_users)
        self._items = table("item_embedding", catalog.num_indices)
        self._first = self.add_weight(
            name="mlp_1_kernel",
            shape=(2 * self._half, settings.hidden_units[1]),
            initializer="glorot_uniform",
            regularizer=regularizers[1],
        )
        self._first_bias = self.add_weight(
            name="mlp_1_bias", shape=(settings.hidden_units[1],), initializer="zeros"
        )
        self._layers = [
            tf.keras.layers.Dense(
                width, activation="relu", kernel_regularizer=l2, name=f"mlp_{number}"
            )
            for number, (width, l2) in enumerate(
                zip(settings.hidden_units[2:], regularizers[2:], strict=True), start=2
            )
        ]
        self._head = tf.keras.layers.Dense(1, kernel_initializer="lecun_uniform", name="prediction")
        # Dense layers make their variables on first use; the loop under a
        # strategy needs them before.
        self._top(tf.zeros([1, self._gmf]), tf.zeros([1, settings.hidden_units[1]]))

    def encode_users(self, users: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See Recommender: [GMF part | W_u m_u + b], float32 [B, D]."""
        rows = tf.gather(self._users, users[features.USER_INDEX])
        hidden = tf.matmul(rows[:, self._gmf :], self._first[: self._half]) + self._first_bias
        return tf.concat([rows[:, : self._gmf], hidden], axis=1)

    def encode_items(self, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Recommender: [GMF part | W_i m_i], float32 [K, D]."""
        rows = tf.gather(self._items, tf.gather(self.catalog.item_index, positions))
        hidden = tf.matmul(rows[:, self._gmf :], self._first[self._half :])
        return tf.concat([rows[:, : self._gmf], hidden], axis=1)

    def score(self, user_codes: tf.Tensor, item_codes: tf.Tensor) -> tf.Tensor:
        """See Recommender: logits, float32 [B, K]."""
        users = user_codes[:, None, :]
        product = users[..., : self._gmf] * item_codes[..., : self._gmf]
        return self._pairs(product, users[..., self._gmf :] + item_codes[..., self._gmf :])

    def score_all(self, user_codes: tf.Tensor, item_codes: tf.Tensor) -> tf.Tensor:
        """See Recommender: logits, float32 [B, C]."""
        return self.score(user_codes, item_codes[None])

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Mean log loss over each positive and its sampled negatives.

        He et al. 2017, equation 7.

        Args:
          inputs: a batch of trainer.input.TrainingData with negatives.
          training: passed on to the encoders.

        Returns:
          float32 scalar.
        """
        items = tf.concat([inputs[POSITIVE][:, None], inputs[NEGATIVES]], axis=1)
        pairs = items.shape.num_elements()
        if pairs and self.catalog.size <= pairs:
            codes = tf.gather(self.encode_items(tf.range(self.catalog.size), training), items)
        else:
            codes = self.encode_items(tf.reshape(items, [-1]), training)
            codes = tf.reshape(codes, [*tf.unstack(tf.shape(items)), codes.shape[-1]])
        logits = self.score(self.encode_users(inputs, training), codes)
        labels = tf.concat([tf.ones_like(logits[:, :1]), tf.zeros_like(logits[:, 1:])], axis=1)
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))

    def _pairs(self, product: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        """Logits [B, K] of elementwise products and first-layer sums, each [B, K, .]."""
        shape = tf.shape(hidden)[:2]
        flat = self._top(
            tf.reshape(product, [-1, self._gmf]), tf.reshape(hidden, [-1, hidden.shape[-1]])
        )
        return tf.reshape(flat, shape)

    def _top(self, product: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        hidden = tf.nn.relu(hidden)
        for layer in self._layers:
            hidden = layer(hidden)
        return self._head(tf.concat([product, hidden], axis=1))
