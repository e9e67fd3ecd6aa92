"""A TensorFlow Lite model of the scores, for devices that rank a few items by themselves.

It takes indices rather than ids, so that it needs TensorFlow Lite's built-in
operations only. Beside it lie the ids: line n (from 0) of USERS_FILE names user
n, and any larger number stands for an unknown user; line n of ITEMS_FILE names
item n, and -1 stands for an unknown item.
"""

from __future__ import annotations

import os

import tensorflow as tf

from trainer.serving.signatures import ServingModel

# TensorFlow keeps what users add to a SavedModel in `assets.extra`.
FOLDER = os.path.join("assets.extra", "tflite")
MODEL_FILE = "model.tflite"
USERS_FILE = "user_ids.txt"
ITEMS_FILE = "item_ids.txt"


def write(serving: ServingModel, saved_model: str) -> None:
    """Write model and ids into a SavedModel's folder.

    Args:
      serving: whose scores to convert.
      saved_model: the folder, local or a URI.
    """
    folder = os.path.join(saved_model, FOLDER)
    tf.io.gfile.makedirs(folder)
    files = (
        (MODEL_FILE, convert(serving)),
        (USERS_FILE, b"".join(name + b"\n" for name in serving.user_ids)),
        (ITEMS_FILE, b"".join(name + b"\n" for name in serving.item_ids)),
    )
    for name, content in files:
        with tf.io.gfile.GFile(os.path.join(folder, name), "wb") as file:
            file.write(content)


def convert(serving: ServingModel) -> bytes:
    """Convert the `score` signature without its lookups.

    Args:
      serving: the model.

    Returns:
      A flatbuffer with one signature, "serving_default": int32 [B] `user` and
      `item` to `score` (and `rating`), float32 [B]. The score of an unknown item
      is -inf, or the lowest finite number: TensorFlow 2.21 converts the one to
      the other.
    """

    @tf.function(autograph=False)
    def score(user: tf.Tensor, item: tf.Tensor) -> dict[str, tf.Tensor]:
        unknown = len(serving.user_ids)
        return serving.scorer.score_pairs(tf.minimum(user, unknown), item)

    concrete = score.get_concrete_function(
        user=tf.TensorSpec([None], tf.int32, "user"),
        item=tf.TensorSpec([None], tf.int32, "item"),
    )
    # The serving model itself would bring its id lookups along.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], serving.scorer)
    converted: bytes = converter.convert()
    return converted
