"""What an export tells of its weights, so that a later training can start from them.

A SavedModel's checkpoint numbers its weights and knows no ids. Beside it lies
a description: which model it is, and by which ids the rows of its tables go.
trainer.run_fn writes one with every export; trainer.warm_start reads it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from schema.errors import UserError
from schema.settings import to_dict
from trainer.config.trainer import TrainerConfig
from trainer.data.dataset import Dataset
from trainer.data.vocabularies import Vocabulary, vocabularies_of
from trainer.models.base import Recommender

# SavedModel's folder for what is not part of the graph.
DESCRIPTION = "assets.extra/warm_start.json"
_CHOSEN = "assets.extra/chosen"
_ANY = "surrogateescape"


@dataclasses.dataclass(frozen=True)
class Described:
    """Describe one variable.

    Attributes:
      name: for messages; not unique.
      shape: of the variable.
      rows: name of the vocabulary that its first axis runs over; None where
        the axis means the same in every training.
      state: whether it belongs to the training rather than to the model.
    """

    name: str
    shape: tuple[int, ...]
    rows: str | None
    state: bool

    @property
    def width(self) -> tuple[int, ...]:
        """Return the part of the shape that the data do not decide."""
        return self.shape[1:] if self.rows else self.shape


@dataclasses.dataclass(frozen=True)
class WarmStartSource:
    """Hold an exported model to start from.

    Attributes:
      uri: its folder.
      model: its name.
      settings: of that model, nested.
      variables: in the order of a Recommender's `variables`.
      values: theirs in serving; empty for those that are state.
      chosen: theirs before a refit, that is, without having learned from valid;
        `values` where there was none.
      vocabularies: by name, those that `variables` name.
    """

    uri: str
    model: str
    settings: dict[str, Any]
    variables: tuple[Described, ...]
    values: tuple[np.ndarray, ...]
    chosen: tuple[np.ndarray, ...]
    vocabularies: dict[str, Vocabulary]


def describe(model: Recommender) -> tuple[Described, ...]:
    """Describe a model's variables.

    Args:
      model: any.

    Returns:
      One entry a variable, in the order of `model.variables`.
    """
    tables = {id(v): name for name, owned in model.tables().items() for v in owned}
    state = {id(variable) for variable in model.training_state()}
    return tuple(
        Described(
            # Keras numbers layers without a name by process, not by model.
            name=re.sub(r"_\d+(?=/)", "", variable.name).partition(":")[0],
            shape=tuple(variable.shape),
            rows=tables.get(id(variable)),
            state=id(variable) in state,
        )
        for variable in model.variables
    )


def model_settings(config: TrainerConfig) -> dict[str, Any]:
    """Return the settings that are the model's own.

    Args:
      config: of a training.

    Returns:
      JSON-ready, by section.
    """
    values = to_dict(config)
    return {section: values[section] for section in config.spec.sections}


def write_warm_start_source(
    model: Recommender,
    chosen: Recommender | None,
    config: TrainerConfig,
    dataset: Dataset,
    path: str,
) -> None:
    """Put what `read_warm_start_source` needs into a SavedModel.

    Args:
      model: that it holds.
      chosen: the same model before its refit; None where there was none.
      config: of the training.
      dataset: that was learned from.
      path: folder of the SavedModel.
    """
    variables = describe(model)
    vocabularies = vocabularies_of({v.rows for v in variables if v.rows}, config, dataset)
    content = {
        "model": config.model,
        "settings": model_settings(config),
        "variables": [dataclasses.asdict(variable) for variable in variables],
        "vocabularies": {
            # Ids may be any bytes; surrogates carry through JSON what is not UTF-8.
            name: {"first": v.first, "entries": [e.decode(errors=_ANY) for e in v.entries]}
            for name, v in sorted(vocabularies.items())
        },
    }
    file = os.path.join(path, DESCRIPTION)
    tf.io.gfile.makedirs(os.path.dirname(file))
    with tf.io.gfile.GFile(file, "w") as stream:
        json.dump(content, stream)
    if chosen is not None:
        checkpoint = tf.train.Checkpoint(_weights=list(chosen.variables))
        checkpoint.write(os.path.join(path, _CHOSEN))


def read_warm_start_source(path: str, config: TrainerConfig) -> WarmStartSource:
    """Read an exported model's weights and their description.

    Args:
      path: folder of the SavedModel, local or a URI.
      config: of the training that is to start from it.

    Returns:
      The model.

    Raises:
      UserError: it was exported without a description, or is another model.
    """
    file = os.path.join(path, DESCRIPTION)
    if not tf.io.gfile.exists(file):
        raise UserError(
            f"trainer.warm_start: the last blessed model {path} does not tell the ids of its rows "
            f"(no {DESCRIPTION}); expected a model of this version, so train once without it."
        )
    with tf.io.gfile.GFile(file, "r") as stream:
        content = json.load(stream)
    if content["model"] != config.model:
        raise UserError(
            f"trainer.warm_start: the last blessed model {path} is {content['model']}, this one "
            f"{config.model}; expected the same model, so train it once without warm_start."
        )
    variables = tuple(
        Described(**{**variable, "shape": tuple(variable["shape"])})
        for variable in content["variables"]
    )
    values = _read(os.path.join(path, "variables", "variables"), variables)
    before = os.path.join(path, _CHOSEN)
    chosen = _read(before, variables) if tf.io.gfile.exists(f"{before}.index") else values
    vocabularies = {
        name: Vocabulary(v["first"], tuple(entry.encode(errors=_ANY) for entry in v["entries"]))
        for name, v in content["vocabularies"].items()
    }
    return WarmStartSource(
        path, content["model"], content["settings"], variables, values, chosen, vocabularies
    )


def _read(checkpoint: str, variables: Sequence[Described]) -> tuple[np.ndarray, ...]:
    # The list is ServingModel's attribute.
    reader = tf.train.load_checkpoint(checkpoint)
    return tuple(
        np.zeros(0)
        if variable.state
        else reader.get_tensor(f"_weights/{number}/.ATTRIBUTES/VARIABLE_VALUE")
        for number, variable in enumerate(variables)
    )
