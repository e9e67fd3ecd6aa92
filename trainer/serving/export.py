"""Writes a ServingModel as one SavedModel, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from schema import atomic_write
from trainer.serving import tflite
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
# Of models that read the user's history only.
HISTORY_SIGNATURE = "recommend_for_history"


def export(
    serving: ServingModel,
    path: str,
    with_tflite: bool = False,
    write_more: Callable[[str], None] | None = None,
) -> None:
    """Writes the model beside `path`, then renames it into place.

    Args:
      serving: what to write; its methods named in SIGNATURES become signatures,
        and HISTORY_SIGNATURE where it has it.
      path: folder of the SavedModel, local or a URI; replaced when it exists.
      with_tflite: whether to put a TensorFlow Lite model into it, see trainer.serving.tflite.
      write_more: called with the written folder, to add files of its own.
    """
    names = [*SIGNATURES, HISTORY_SIGNATURE] if hasattr(serving, HISTORY_SIGNATURE) else SIGNATURES
    signatures = {name: getattr(serving, name) for name in names}
    with atomic_write.folder(path) as unfinished:
        tf.saved_model.save(serving, unfinished, signatures=signatures)
        if with_tflite:
            tflite.write(serving, unfinished)
        if write_more is not None:
            write_more(unfinished)
