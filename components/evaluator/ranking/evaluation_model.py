"""Ranks held-out rows with an exported model, of which it asks scores and catalog only.

Nothing of the size of all users times all items is held: rows are ranked some
at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from components.evaluator.ranking import slices
from components.metrics.rank_outputs import MODEL, POPULARITY, RankOutputs
from schema import features
from trainer.config.evaluation import SAMPLED, EvaluationConfig
from trainer.ops import candidates, draws, long_rows, lookup
from trainer.ops.ranks import TargetRanks, number, row_weights

_STRINGS = tf.TensorSpec([None], tf.string)
# User features that rows are sliced by as they are, beside the age.
_TEXTS = tuple(name for name in features.USER_FEATURES if name != features.AGE)


class EvaluationModel(tf.Module):
    """Rank the targets of held-out rows with a model, and name their slices.

    Args:
      model: a loaded SavedModel with the signatures wrap.NEEDED.
      evaluation: protocols, cut-offs and seed.

    Attributes:
      exported: the model, as given.
      predicts_ratings: whether the model predicts ratings, which `rank` then gives too.
    """

    def __init__(self, model: Any, evaluation: EvaluationConfig) -> None:
        super().__init__()
        # It owns the tables that its signatures look ids up in, which hold them weakly.
        self.exported = model
        self._protocols = dict(evaluation.protocols)
        self._seed, self._k = evaluation.seed, evaluation.k
        self._longest = max(evaluation.k, *evaluation.more_k, 0)
        self.predicts_ratings = features.RATING in model.signatures["score"].structured_outputs
        catalog = {name: v.numpy() for name, v in model.signatures["catalog"]().items()}
        ids, counts = catalog[features.ITEM_ID], catalog["count"]
        self._positions = lookup.positions(ids.tolist())
        self._items = candidates.CatalogWeights.of(ids.tolist(), counts)
        self._ordered_weights = lookup.stored(np.sort(counts), tf.float32)
        # One more row at the end answers position -1.
        shares = counts / max(counts.sum(), 1)
        self._shares = lookup.stored(np.append(shares, 0.0), tf.float32)
        genres = np.pad(catalog[features.GENRES], [(0, 1), (0, 0)])
        norms = np.linalg.norm(genres, axis=1, keepdims=True)
        self._genres = lookup.stored(genres / np.maximum(norms, 1.0), tf.float32)
        self._groups = slices.TargetGroups(
            counts, catalog[features.YEAR], catalog[features.GENRES], catalog["genre"].tolist()
        )

    @tf.function(input_signature=[_STRINGS], autograph=False)
    def rank(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Find where the targets of held-out rows stand, and what the users are served.

        T is the most targets that a row of the batch has; what has one value a
        target is padded with -1 or NaN. {p} is the name of each protocol.

        Args:
          examples: string [B], serialized rows of a held-out split.

        Returns:
          `user_fingerprint` int64 [B]; `{p}_greater` and `{p}_ties` int32 [B, T]
          of the model, `popularity_{p}_greater` and `popularity_{p}_ties` of the
          popularity ranking, see trainer.ops.ranks.Ranks; `{p}_candidates` int32 [B],
          length of the list with all its targets; `{p}_weight` float32 [B], 0 for
          a padded row under MLPerf's rules, else 1. Of sampled protocols
          `{p}_positive_loss` and `{p}_negative_loss` float32 [B], sums over the
          targets and the negatives of the log loss of scores that are logits.
          `top_item` and `top_share` [B, K], positions (int32, -1 where fewer are
          left) and shares of the training interactions (float32) of the list that
          the user is served, K being the longest cut-off; `top_diversity` float32
          [B], see `_diversity`; `catalog_size` int32 [B]. Of a model that
          predicts ratings also `target_score`, the predicted, and
          `target_rating`, the given ones, float32 [B, T];
          both are NaN for a target that the catalog lacks.
        """
        return self._rank(lookup.parse(examples))

    @tf.function(input_signature=[_STRINGS], autograph=False)
    def rank_and_slice(
        self, examples: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Rank rows, and name the groups that they belong to.

        Args:
          examples: string [B], serialized rows of a held-out split.

        Returns:
          What `rank` gives; and by the names in trainer.config.evaluation.SLICES
          string [B, ?], of AGE int64, the values of all rows in any number of
          repetitions, "" or a negative number where there is none.
        """
        parsed = lookup.parse(examples, _TEXTS)
        return self._rank(parsed), {**self._row_slices(parsed), **self._model_slices(parsed)}

    def _rank(self, parsed: dict[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        user_id = lookup.first(parsed[features.USER_ID], "")
        history, targets, given = (
            self._positions_of(parsed[name])
            for name in (features.ITEM_ID, features.TARGET_ITEM_ID, features.CANDIDATE_ITEM_ID)
        )
        users, most = draws.fingerprint(user_id), candidates.most_targets(targets)

        def ranked(start: tf.Tensor, end: tf.Tensor) -> list[tf.Tensor]:
            some = candidates.held_out_batch(
                users[start:end], history[start:end], targets[start:end], given[start:end], most
            )
            scores = self.exported.signatures["scores"](user_id=user_id[start:end])["score"]
            found = {**self._ranks(some, scores), **self._list(some, scores)}
            return [found[name] for name in outputs]

        size = tf.size(self._items.names)
        outputs = self._outputs()
        columns = draws.by_chunks(ranked, tf.size(user_id), size, list(outputs.values()))
        found = dict(zip(outputs, columns, strict=True))
        found[RankOutputs.USER] = users
        found[RankOutputs.CATALOG_SIZE] = tf.fill([tf.size(user_id)], size)
        if self.predicts_ratings:
            found |= self._ratings(user_id, parsed, most)
        return found

    def _row_slices(self, parsed: dict[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        """Name the groups that depend on the row alone."""
        groups = {
            features.AGE_GROUP: slices.age_group(lookup.first(parsed[features.AGE], -1)),
            features.ACTIVITY: slices.activity(parsed[features.ITEM_ID].row_lengths()),
        }
        return {
            **{name: parsed[name].to_tensor("") for name in _TEXTS},
            features.AGE: parsed[features.AGE].to_tensor(-1),
            **{name: values[:, tf.newaxis] for name, values in groups.items()},
        }

    def _model_slices(self, parsed: dict[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        """Name the groups that what the model knows has a part in; those of all targets."""
        targets = self._positions_of(parsed[features.TARGET_ITEM_ID])
        dense = lookup.dense(targets, -1, candidates.most_targets(targets))
        present = tf.sequence_mask(targets.row_lengths(), candidates.most_targets(targets))
        user_id = lookup.first(parsed[features.USER_ID], "")
        known = self.exported.signatures["known_users"](user_id=user_id)["known"]
        return {
            # The first target's groups again instead of those of none.
            **self._groups(tf.where(present, dense, dense[:, :1])),
            features.USER_COLDNESS: slices.coldness("user", known)[:, tf.newaxis],
        }

    def _positions_of(self, item_ids: tf.RaggedTensor) -> tf.RaggedTensor:
        return item_ids.with_values(self._positions.lookup(item_ids.values))

    def _outputs(self) -> dict[str, tf.DType]:
        """Name what is computed some rows at a time."""
        outputs: dict[str, tf.DType] = {}
        for name, protocol in self._protocols.items():
            for subject in (MODEL, POPULARITY):
                outputs[RankOutputs.greater(name, subject)] = tf.int32
                outputs[RankOutputs.ties(name, subject)] = tf.int32
            outputs[RankOutputs.candidates(name)] = tf.int32
            outputs[RankOutputs.weight(name)] = tf.float32
            if protocol.candidates == SAMPLED:
                outputs[RankOutputs.positive_loss(name)] = tf.float32
                outputs[RankOutputs.negative_loss(name)] = tf.float32
        return outputs | {
            RankOutputs.TOP_ITEM: tf.int32,
            RankOutputs.TOP_SHARE: tf.float32,
            RankOutputs.TOP_DIVERSITY: tf.float32,
        }

    def _ranks(self, some: candidates.HeldOutBatch, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the outputs of every protocol, for B rows and their scores, float32 [B, C]."""
        model = TargetRanks(some, scores)
        popularity = TargetRanks(some, self._items.weights, self._ordered_weights)
        found: dict[str, tf.Tensor] = {}
        for name, protocol in self._protocols.items():
            drawn = None
            if protocol.candidates == SAMPLED:
                drawn = candidates.negatives(some, self._items, protocol, self._seed)
                losses = model.losses(drawn)
                found[RankOutputs.positive_loss(name)] = losses["positive"]
                found[RankOutputs.negative_loss(name)] = losses["negative"]
            for subject, scored in ((MODEL, model), (POPULARITY, popularity)):
                ranks, others = scored.ranks(protocol, drawn)
                found[RankOutputs.greater(name, subject)] = ranks.greater
                found[RankOutputs.ties(name, subject)] = ranks.ties
            found[RankOutputs.weight(name)] = row_weights(protocol, others)
            found[RankOutputs.candidates(name)] = others + number(some.present)[:, 0]
        return found

    def _list(self, some: candidates.HeldOutBatch, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the list that each user is served; a row's targets never count as seen."""
        seen = draws.marked(tf.RaggedTensor.from_tensor(some.seen), tf.shape(scores)[1])
        size, k = tf.shape(scores)[1], self._longest
        top = tf.cond(
            size >= max(long_rows.LONG, k),
            lambda: long_rows.best_positions(scores, seen, k),
            lambda: lookup.best_items(scores, seen, k)[1],
        )
        return {
            RankOutputs.TOP_ITEM: top,
            RankOutputs.TOP_SHARE: lookup.at(self._shares, top),
            RankOutputs.TOP_DIVERSITY: self._diversity(top[:, : self._k]),
        }

    def _diversity(self, top: tf.Tensor) -> tf.Tensor:
        """Mean over pairs of listed items of 1 - the cosine of their genres.

        Intra-list distance (Ziegler et al. 2005, "Improving recommendation lists
        through topic diversification"), from sum over i != j of g_i . g_j =
        |sum g_i|^2 - sum |g_i|^2. An item without genres is like no other; a list
        without pairs has diversity 0.
        """
        genres = lookup.at(self._genres, top)
        like = tf.reduce_sum(tf.reduce_sum(genres, axis=1) ** 2, axis=1)
        like -= tf.reduce_sum(genres**2, axis=[1, 2])
        listed = tf.reduce_sum(tf.cast(top >= 0, tf.float32), axis=1)
        pairs = listed * (listed - 1.0)
        return tf.where(pairs > 0, 1.0 - like / tf.maximum(pairs, 1.0), 0.0)

    def _ratings(
        self, user_id: tf.Tensor, parsed: dict[str, tf.RaggedTensor], most: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Predicted and given ratings of the targets, by the model's `score`."""
        targets = parsed[features.TARGET_ITEM_ID]
        pairs = {
            features.USER_ID: tf.gather(user_id, targets.value_rowids()),
            features.ITEM_ID: targets.values,
        }
        predicted = self.exported.signatures["score"](**pairs)[features.RATING]
        nan = float("nan")
        given = parsed[features.TARGET_RATING]
        known = self._positions_of(targets).values >= 0
        given = given.with_values(tf.where(known, given.values, nan))
        return {
            features.TARGET_SCORE: lookup.dense(targets.with_values(predicted), nan, most),
            features.TARGET_RATING: lookup.dense(given, nan, most),
        }
