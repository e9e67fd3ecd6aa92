"""Whose models a served folder holds, so that another's are not pushed beside them.

A model server loads the newest version, whoever made it. A version tells in
`assets.extra` which pipeline pushed it, and by its signature `catalog` which items
it ranks.
"""

from __future__ import annotations

import json
import os
from typing import Any

from schema import atomic_write, features
from schema.errors import UserError
from schema.keys import SAVED_MODEL_FILE

# Of whoever is pushing there.
LEASE = ".lease"
# TensorFlow keeps what users add to a SavedModel in `assets.extra`.
_ORIGIN = os.path.join("assets.extra", "origin.json")
_PIPELINE = "pipeline"
_REMEDY = "name another folder with --output, or one for the pushed models alone with --serving."
# A catalog grows and shrinks between two pushes; less than this of it is another.
_LEAST_SHARE = 0.5


def newest(base: str) -> str | None:
    """Find the newest whole version.

    Args:
      base: the served folder, local or a URI.

    Returns:
      The version's folder; None where there is none.
    """
    files = atomic_write.files_of(base)
    names = [name.rstrip("/") for name in files.listdir(base)] if files.isdir(base) else []
    for version in sorted((name for name in names if name.isdigit()), key=int, reverse=True):
        place = os.path.join(base, version)
        if files.exists(os.path.join(place, SAVED_MODEL_FILE)):
            return place
    return None


def write_origin(model: str, pipeline: str) -> None:
    """Write into a SavedModel which pipeline pushes it.

    Args:
      model: its folder, local or a URI.
      pipeline: the pipeline's name.
    """
    path = os.path.join(model, _ORIGIN)
    atomic_write.files_of(path).makedirs(os.path.dirname(path))
    atomic_write.write(path, json.dumps({_PIPELINE: pipeline}))


def check_pipeline(base: str, pipeline: str) -> None:
    """Refuse a served folder that another pipeline pushes to; loads no model.

    Args:
      base: the served folder, local or a URI.
      pipeline: name of the one that is about to.

    Raises:
      UserError: the newest version there is another pipeline's.
    """
    place = newest(base)
    if place is None:
        return
    path = os.path.join(place, _ORIGIN)
    files = atomic_write.files_of(path)
    if not files.exists(path):
        return
    with files.open(path, "r") as file:
        owner = json.loads(file.read())[_PIPELINE]
    if owner != pipeline:
        raise UserError(
            f"{base}: holds models of the pipeline {owner}, expected those of {pipeline}; {_REMEDY}"
        )


def check_catalog(base: str, model: str) -> None:
    """Refuse a served folder whose newest model ranks the items of another catalog.

    Args:
      base: the served folder, local or a URI.
      model: folder of the SavedModel that is to be pushed there.

    Raises:
      UserError: half of the items that are served, or more, are not in the new
        model's catalog.
    """
    place = newest(base)
    if place is None:
        return
    served, given = _item_ids(place), _item_ids(model)
    kept = len(served & given)
    if kept <= _LEAST_SHARE * len(served):
        raise UserError(
            f"{base}: the model served there ranks {len(served)} items, of which the new model "
            f"knows {kept}, expected more than half: this is another catalog; {_REMEDY}"
        )


def _item_ids(model: str) -> set[bytes]:
    """Read the raw ids of the items that a model ranks."""
    import tensorflow as tf

    try:
        # The functions of a model that nothing refers to lose their variables.
        loaded = tf.saved_model.load(model)
        told: dict[str, Any] = loaded.signatures["catalog"]()
    except (OSError, KeyError):
        raise UserError(
            f"{model}: expected a recommender with the signature catalog, found another model; "
            f"{_REMEDY}"
        ) from None
    return set(told[features.ITEM_ID].numpy())
