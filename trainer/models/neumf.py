"""GMF, MLP, and NeuMF of both, over shared id tables.

He et al. 2017, "Neural Collaborative Filtering", sections 3.2 to 3.4, with the
table layout of the TensorFlow Model Garden: one row an id, its first part for
GMF and the rest for the MLP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from schema import features
from schema.settings import replace_values, to_dict
from trainer.config.neumf import NeuMFConfig
from trainer.config.trainer import TrainerConfig
from trainer.data.catalog import CatalogTensors
from trainer.models import losses
from trainer.models.base import DataSizes, Recommender
from trainer.models.pairs import parted_pair_embeddings, sampled_items

GMF, MLP = "gmf", "mlp"
# Halves of each model of this module, by its name.
_PARTS = {GMF: (GMF,), MLP: (MLP,), "neumf": (GMF, MLP)}


def _own_dot_products(users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
    """Multiply users [B, G] with their own items [B, K, G]."""
    return tf.linalg.matvec(items, users)


class _PartedL2(tf.keras.regularizers.Regularizer):
    """L2 with a factor of its own on the first `width` columns of a table."""

    def __init__(self, width: int, first: float, rest: float) -> None:
        self._width, self._first, self._rest = width, first, rest

    def __call__(self, table: tf.Tensor) -> tf.Tensor:
        first = tf.reduce_sum(tf.square(table[:, : self._width]))
        return self._first * first + self._rest * tf.reduce_sum(tf.square(table[:, self._width :]))


class NeuMF(Recommender):
    """Score by w . [p_u * q_i ; relu-layers([m_u ; m_i])] + b.

    Either half can be left out. The first MLP layer is linear in the
    concatenation, W [m_u; m_i] = W_u m_u + W_i m_i, so each half belongs to its
    side's embedding and is computed once a user or item instead of once a pair.

    Args:
      settings: widths and regularization.
      num_users: rows of the user table.
      catalog: the items.
      parts: "gmf", "mlp" or both.
      precision: of the MLP's matrix products; the prediction, in which close
        scores must stay apart, is float32.
    """

    wide_scores = True

    def __init__(
        self,
        settings: NeuMFConfig,
        num_users: int,
        catalog: CatalogTensors,
        parts: Sequence[str] = (GMF, MLP),
        precision: str = "float32",
    ) -> None:
        super().__init__(catalog)
        self._gmf = settings.embedding_dim if GMF in parts else 0
        self._half = settings.hidden_units[0] // 2 if MLP in parts else 0
        self._dtype_of_products = tf.dtypes.as_dtype(precision)
        self._alpha = settings.pretrain.alpha
        self._users = self._table("user", num_users, settings)
        self._items = self._table("item", catalog.num_rows, settings)
        if self._half:
            self._build_mlp(settings, precision)
        self._head = tf.keras.layers.Dense(
            1, kernel_initializer="lecun_uniform", name="prediction", dtype="float32"
        )
        # Dense layers make their variables on first use; the loop under a
        # strategy needs them before.
        if self._half:
            hidden = tf.zeros([1, settings.hidden_units[1]])
            for layer in self._layers:
                hidden = layer(hidden)
        self._head(tf.zeros([1, self._gmf + (settings.hidden_units[-1] if self._half else 0)]))

    @classmethod
    def from_config(cls, config: TrainerConfig, sizes: DataSizes) -> NeuMF:
        """See Recommender."""
        return cls(
            config.section(NeuMFConfig),
            sizes.num_users,
            CatalogTensors(sizes.catalog),
            _PARTS[config.model],
            config.precision,
        )

    @classmethod
    def pretraining(cls, config: TrainerConfig) -> Sequence[TrainerConfig]:
        """See Recommender: GMF and MLP, where NeuMF's settings give them epochs."""
        pretrain = config.section(NeuMFConfig).pretrain
        if len(_PARTS[config.model]) == 1 or not pretrain.gmf_epochs:
            return ()
        common = {
            "learning_rate": pretrain.learning_rate,
            "optimizer": to_dict(pretrain.optimizer),
            "hr_threshold": None,
            "neumf.pretrain.gmf_epochs": 0,
            "neumf.pretrain.mlp_epochs": 0,
        }
        return [
            replace_values(config, {**common, "model": part, "epochs": epochs})
            for part, epochs in ((GMF, pretrain.gmf_epochs), (MLP, pretrain.mlp_epochs))
        ]

    def start_from(self, pretrained: Sequence[Recommender]) -> None:
        """See Recommender: fuses the two halves."""
        gmf, mlp = pretrained
        assert isinstance(gmf, NeuMF)
        assert isinstance(mlp, NeuMF)
        self.fuse(gmf, mlp, self._alpha)

    def _table(self, name: str, rows: int, settings: NeuMFConfig) -> tf.Variable:
        l2 = (settings.l2_mf * bool(self._gmf), settings.l2_mlp[0] * bool(self._half))
        return self.add_weight(
            name=f"{name}_embedding",
            shape=(rows, self._gmf + self._half),
            initializer="glorot_uniform",
            regularizer=_PartedL2(self._gmf, *l2) if any(l2) else None,
        )

    def _build_mlp(self, settings: NeuMFConfig, precision: str) -> None:
        regularizers = [tf.keras.regularizers.L2(l2) if l2 else None for l2 in settings.l2_mlp]
        self._first = self.add_weight(
            name="mlp_1_kernel",
            shape=(2 * self._half, settings.hidden_units[1]),
            initializer="glorot_uniform",
            regularizer=regularizers[1],
        )
        self._first_bias = self.add_weight(
            name="mlp_1_bias", shape=(settings.hidden_units[1],), initializer="zeros"
        )
        policy = precision if precision == "float32" else f"mixed_{precision}"
        self._layers = [
            tf.keras.layers.Dense(
                width, activation="relu", kernel_regularizer=l2, name=f"mlp_{number}", dtype=policy
            )
            for number, (width, l2) in enumerate(
                zip(settings.hidden_units[2:], regularizers[2:], strict=True), start=2
            )
        ]

    def tables(self) -> dict[str, Sequence[tf.Variable]]:
        """See Recommender."""
        return {features.USER_ID: [self._users], features.ITEM_ID: [self._items]}

    def user_embedding(self, users: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See Recommender: [GMF part | W_u m_u + b], float32 [B, D]."""
        rows = tf.gather(self._users, users[features.USER_INDEX])
        if not self._half:
            return rows
        hidden = self._product(rows[:, self._gmf :], self._first[: self._half]) + self._first_bias
        return tf.concat([rows[:, : self._gmf], hidden], axis=1)

    def item_embedding(self, positions: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See Recommender: [GMF part | W_i m_i], float32 [K, D]."""
        rows = self.catalog.rows(self._items, positions)
        if not self._half:
            return rows
        hidden = self._product(rows[:, self._gmf :], self._first[self._half :])
        return tf.concat([rows[:, : self._gmf], hidden], axis=1)

    def score(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: logits, float32 [B, K]."""
        return self._logits(self._parts(user_embeddings), self._parts(item_embeddings))

    def score_all(self, user_embeddings: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: logits, float32 [B, C].

        GMF's half is a matrix product, so that only the MLP's keeps numbers of pairs.
        """
        users, items = self._parts(user_embeddings), self._parts(item_embeddings)
        return self._logits(users, items, lambda p, q: tf.matmul(p, q, transpose_b=True))

    def item_similarity(self, positions: tf.Tensor, item_embeddings: tf.Tensor) -> tf.Tensor:
        """See Recommender: where there is GMF, the cosine of w * q_i, what it lets users weigh.

        A dimension that the prediction ignores does not count. The MLP's part
        is left out: it holds the items' popularity, which is alike in unlike
        items. MLP alone has nothing else.
        """
        if not self._gmf:
            return super().item_similarity(positions, item_embeddings)
        weights = self._head.kernel[: self._gmf, 0]
        return super().item_similarity(positions, item_embeddings[:, : self._gmf] * weights)

    def fuse(self, gmf: NeuMF, mlp: NeuMF, alpha: float) -> None:
        """Take over the weights of two trained halves.

        He et al. 2017, section 3.4.1 and equation 13: h = [alpha h_GMF ; (1 -
        alpha) h_MLP], all else copied; the bias is mixed by the same weights.

        Args:
          gmf: of the same widths, without the MLP.
          mlp: of the same widths, without GMF.
          alpha: in [0, 1].
        """
        self._users.assign(tf.concat([gmf._users, mlp._users], axis=1))
        self._items.assign(tf.concat([gmf._items, mlp._items], axis=1))
        self._first.assign(mlp._first)
        self._first_bias.assign(mlp._first_bias)
        for mine, theirs in zip(self._layers, mlp._layers, strict=True):
            mine.set_weights(theirs.get_weights())
        (kernel_g, bias_g), (kernel_m, bias_m) = gmf._head.get_weights(), mlp._head.get_weights()
        kernel = tf.concat([alpha * kernel_g, (1 - alpha) * kernel_m], axis=0)
        self._head.set_weights([kernel, alpha * bias_g + (1 - alpha) * bias_m])

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Average the log loss over each positive and its sampled negatives.

        He et al. 2017, equation 7.

        Args:
          inputs: a batch of trainer.data.batches.TrainingData with negatives.
          training: passed on to the encoders.

        Returns:
          float32 scalar.
        """
        users = self._parts(self.user_embedding(inputs, training))
        items = parted_pair_embeddings(self, sampled_items(inputs), training, self._parts)
        return losses.cross_entropy(self._logits(users, items))

    def _product(self, values: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        dtype = self._dtype_of_products
        product = tf.matmul(tf.cast(values, dtype), tf.cast(kernel, dtype))
        return tf.cast(product, tf.float32)

    def _parts(self, rows: tf.Tensor) -> list[tf.Tensor]:
        """Cut embeddings into those of GMF and of the MLP's first layer, where there are both."""
        parts = [rows[..., : self._gmf]] if self._gmf else []
        return [*parts, rows[..., self._gmf :]] if self._half else parts

    def _logits(
        self,
        users: Sequence[tf.Tensor],
        items: Sequence[tf.Tensor],
        dot_products: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = _own_dot_products,
    ) -> tf.Tensor:
        """Predict logits [B, K].

        The prediction of [products | MLP] is taken apart too: on a CPU, putting the
        two of each pair side by side takes longer than what is done with them.

        Args:
          users: `_parts` of embeddings [B, D].
          items: `_parts` of embeddings [B, K, D], or of [K, D] for all users alike.
          dot_products: [B, K] of users [B, G] and such items.
        """
        kernel = self._head.kernel
        logits = tf.identity(self._head.bias)
        if self._gmf:
            logits += dot_products(users[0] * kernel[: self._gmf, 0], items[0])
        if self._half:
            sums = users[-1][:, None, :] + items[-1]
            hidden = tf.nn.relu(tf.reshape(sums, [-1, sums.shape[-1]]))
            for layer in self._layers:
                hidden = layer(hidden)
            products = tf.matmul(tf.cast(hidden, tf.float32), kernel[self._gmf :])
            logits += tf.reshape(products, tf.shape(sums)[:2])
        return logits
