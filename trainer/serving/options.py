"""What a request may ask of its recommendations: to sample them, to count what was seen, features.

Part of the exported graph, by indices and positions as the scorer is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import tensorflow as tf

from schema import features
from trainer.ops import draws
from trainer.ops.lookup import best_items, positions, stored
from trainer.serving.scorer import Scorer

# What stands in a request for "as stored".
_SAME_TEXT, _SAME_AGE = "", -1
_TEXTS = {features.GENDER: features.GENDER_INDEX, features.OCCUPATION: features.OCCUPATION_INDEX}


class ToldFeatures(tf.Module):
    """Read the user features that a request tells, as Transform reads those of the data.

    Args:
      names: of schema.features GENDER, AGE and OCCUPATION, those that the model reads.
      values: of GENDER and OCCUPATION what training knew, by index from 1 on.

    Attributes:
      inputs: what a request has of them, [B] each, by name.
    """

    def __init__(self, names: Sequence[str], values: Mapping[str, Sequence[bytes]]) -> None:
        super().__init__()
        self._rows = {name: positions(values[name]) for name in names if name in _TEXTS}
        self.inputs = {
            name: tf.TensorSpec([None], tf.string if name in _TEXTS else tf.int64, name)
            for name in names
        }

    def context(self, told: Mapping[str, tf.Tensor], count: tf.Tensor) -> tf.Tensor:
        """Arrange features as the scorer stores those of known users.

        Args:
          told: by the names of `inputs`: string [B], "" for what is stored; the age
            in years, int64 [B], negative for what is stored.
          count: number B of users, a scalar.

        Returns:
          int32 [B, 4], columns as schema.features.USER_CONTEXT; -1 for what is
          stored, 0 for a value that training did not know.
        """
        columns = dict.fromkeys(features.USER_CONTEXT, tf.fill([count], -1))
        for name, rows in self._rows.items():
            index = rows.lookup(told[name]) + 1
            columns[_TEXTS[name]] = tf.where(told[name] == _SAME_TEXT, -1, index)
        if features.AGE in self.inputs:
            age = told[features.AGE]
            boundaries = tf.constant(features.AGE_BOUNDARIES, tf.int64)
            group = 1 + tf.searchsorted(boundaries, age, side="right")
            columns[features.AGE_INDEX] = tf.where(age > _SAME_AGE, group, -1)
            columns[features.AGE] = tf.cast(tf.maximum(age, _SAME_AGE), tf.int32)
        return tf.stack(list(columns.values()), axis=1)


@dataclasses.dataclass(frozen=True)
class Options:
    """Hold what a request asks for all its users, as scalars.

    Attributes:
      k: int32, length of the lists.
      exclude_seen: bool, whether to leave out what users are known to have seen.
      temperature: float32; 0 or less lists the best items, more draws items, one
        after the other with chances in proportion to exp(logit / temperature).
      seed: int32, of the draws.
    """

    k: tf.Tensor
    exclude_seen: tf.Tensor
    temperature: tf.Tensor
    seed: tf.Tensor

    @staticmethod
    def inputs() -> dict[str, tf.TensorSpec]:
        """Name what a request has of them."""
        dtypes = (tf.int32, tf.bool, tf.float32, tf.int32)
        names = [field.name for field in dataclasses.fields(Options)]
        return {n: tf.TensorSpec([], t, n) for n, t in zip(names, dtypes, strict=True)}


class OptionLists(tf.Module):
    """List items for users as their request says.

    Args:
      scorer: scores them.
      item_ids: raw ids of the catalog, by position.
      feature_values: see ToldFeatures.

    Attributes:
      inputs: what a request says, by name: the fields of Options, and features.
    """

    def __init__(
        self,
        scorer: Scorer,
        item_ids: Sequence[bytes],
        feature_values: Mapping[str, Sequence[bytes]],
    ) -> None:
        super().__init__()
        self._scorer = scorer
        self._items = stored(draws.fingerprint(tf.constant(list(item_ids))), tf.int64)
        self._told = ToldFeatures(scorer.user_features, feature_values)
        self.inputs = {**Options.inputs(), **self._told.inputs}

    def chunk(
        self,
        index: tf.Tensor,
        users: tf.Tensor,
        excluded: tf.RaggedTensor,
        asked: Mapping[str, tf.Tensor],
    ) -> draws.Chunk:
        """List the best or the drawn items of each user.

        Args:
          index: int32 [B], user indices.
          users: int64 [B], `draws.fingerprint` of the user ids.
          excluded: ragged int32 [B, None], positions to leave out; -1 means none.
          asked: tensors by the names of `inputs`.

        Returns:
          What gives lookup.best_items' scores and positions of a range of users.
        """
        options = Options(**{name: asked[name] for name in Options.inputs()})
        context = self._told.context(asked, tf.size(index))

        def best(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
            rows = slice(start, end)
            scores, logits = self._scorer.scores_and_logits(index[rows], context[rows])
            left_out = self._left_out(index[rows], excluded[rows], options.exclude_seen)
            # Without a draw in the order in which `recommend` ranks.
            noisy = tf.cond(
                options.temperature > 0,
                lambda: self._with_noise(logits, users[rows], options),
                lambda: scores,
            )
            _, chosen = best_items(noisy, left_out, options.k)
            others = ~draws.marked(tf.RaggedTensor.from_tensor(chosen), self._scorer.num_items)
            return best_items(scores, others, options.k)

        return best

    def _left_out(
        self, index: tf.Tensor, excluded: tf.RaggedTensor, exclude_seen: tf.Tensor
    ) -> tf.Tensor:
        named = draws.marked(excluded, self._scorer.num_items)
        return named | (exclude_seen & self._scorer.seen(index, excluded))

    def _with_noise(self, logits: tf.Tensor, users: tf.Tensor, options: Options) -> tf.Tensor:
        """Make the best items a sample without replacement, see draws.gumbel."""
        return logits + options.temperature * draws.gumbel(users, self._items, options.seed)
