"""Makes the ServingModel of a training and writes it as one SavedModel, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from schema import atomic_write, features
from trainer.config.trainer import POPULARITY, ColdStart
from trainer.data.dataset import Dataset
from trainer.data.interactions import user_table
from trainer.models.base import Recommender
from trainer.serving import tflite
from trainer.serving.scorer import Scorer
from trainer.serving.signatures import ServingModel

SIGNATURES = (
    "serving_default",
    "recommend",
    "score",
    "similar_items",
    "scores",
    "catalog",
    "known_users",
)
# Its inputs depend on the model.
OPTIONS_SIGNATURE = "recommend_with_options"
# Of models that read the user's history only.
HISTORY_SIGNATURE = "recommend_for_history"


def serving_model(
    model: Recommender, dataset: Dataset, k: int, cold_start: ColdStart = POPULARITY
) -> ServingModel:
    """Make what is pushed; it knows all interactions up to the test split, refitted or not.

    Args:
      model: trained on the data.
      dataset: the data.
      k: length of `serving_default`'s lists.
      cold_start: of users that training did not know, see Scorer.

    Returns:
      The model.
    """
    known, num_users = dataset.known, len(dataset.user_vocabulary)
    catalog = dataset.catalog.with_counts(known.counts(dataset.catalog.size))
    users = user_table(known, num_users, dataset.num_users)
    scorer = Scorer(model, users, num_users, catalog.counts, cold_start)
    values = {features.GENDER: dataset.genders, features.OCCUPATION: dataset.occupations}
    buckets = dataset.user_oov_buckets
    return ServingModel(scorer, catalog, dataset.user_vocabulary, buckets, k, values)


def export(
    serving: ServingModel,
    path: str,
    with_tflite: bool = False,
    write_more: Callable[[str], None] | None = None,
) -> None:
    """Write the model beside `path`, then renames it into place.

    Args:
      serving: what to write; its functions named in SIGNATURES become signatures,
        as do OPTIONS_SIGNATURE and, where it has it, HISTORY_SIGNATURE.
      path: folder of the SavedModel, local or a URI; replaced when it exists.
      with_tflite: whether to put a TensorFlow Lite model into it, see trainer.serving.tflite.
      write_more: called with the written folder, to add files of its own.
    """
    names = [*SIGNATURES, HISTORY_SIGNATURE] if hasattr(serving, HISTORY_SIGNATURE) else SIGNATURES
    signatures = {name: getattr(serving, name) for name in names}
    options = serving.recommend_with_options.get_concrete_function(**serving.option_inputs)
    signatures[OPTIONS_SIGNATURE] = options
    with atomic_write.folder(path) as unfinished:
        tf.saved_model.save(serving, unfinished, signatures=signatures)
        if with_tflite:
            tflite.write(serving, unfinished)
        if write_more is not None:
            write_more(unfinished)
