"""What an export tells of its weights, so that a later training can start from them.

A SavedModel's checkpoint numbers its weights and knows no ids. Beside it lies
a description: which model it is, and by which ids the rows of its tables go.
trainer.run writes one with every export; trainer.warm_start reads it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from schema import features
from schema.errors import UserError
from schema.settings import to_dict
from trainer.catalog import Catalog, title_words
from trainer.config import TrainerConfig
from trainer.data import Dataset
from trainer.models.base import Recommender

# SavedModel's folder for what is not part of the graph.
DESCRIPTION = "assets.extra/warm_start.json"
_ANY = "surrogateescape"
_SETTINGS = {"gmf": ("neumf",), "mlp": ("neumf",), "multi_task": ("two_tower", "multi_task")}


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """What the rows of a table stand for.

    Attributes:
      first: rows before the first entry's, for what is unknown.
      entries: raw ids or tokens; rows after theirs are out-of-vocabulary
        buckets.
    """

    first: int
    entries: tuple[bytes, ...]


@dataclasses.dataclass(frozen=True)
class Described:
    """One variable.

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
        """The part of the shape that the data do not decide."""
        return self.shape[1:] if self.rows else self.shape


@dataclasses.dataclass(frozen=True)
class BaseModel:
    """An exported model to start from.

    Attributes:
      uri: its folder.
      model: its name.
      settings: of that model, nested.
      variables: in the order of a Recommender's `variables`.
      values: theirs; empty for those that are state.
      vocabularies: by name, those that `variables` name.
    """

    uri: str
    model: str
    settings: dict[str, Any]
    variables: tuple[Described, ...]
    values: tuple[np.ndarray, ...]
    vocabularies: dict[str, Vocabulary]


def describe(model: Recommender) -> tuple[Described, ...]:
    """Describes a model's variables.

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
    """The settings that are the model's own.

    Args:
      config: of a training.

    Returns:
      JSON-ready, by section.
    """
    values = to_dict(config)
    return {
        section: values[section]
        for section in _SETTINGS.get(config.model, (config.model,))
        if section in values
    }


def vocabularies_of(
    variables: Iterable[Described], config: TrainerConfig, dataset: Dataset
) -> dict[str, Vocabulary]:
    """The vocabularies that variables name.

    Args:
      variables: of a model that was built for the dataset.
      config: of its training.
      dataset: that it learns from.

    Returns:
      By name.
    """
    catalog = dataset.catalog
    make = {
        features.USER_ID: lambda: Vocabulary(0, tuple(dataset.user_vocabulary)),
        features.ITEM_ID: lambda: Vocabulary(0, _item_vocabulary(catalog)),
        features.CATALOG: lambda: Vocabulary(0, tuple(catalog.item_ids)),
        features.GENRES: lambda: Vocabulary(0, _encoded(catalog.genre_names)),
        features.TITLE: lambda: Vocabulary(
            1, _encoded(title_words(catalog.titles, config.two_tower.title_min_count)[0])
        ),
        features.GENDER: lambda: Vocabulary(1, tuple(dataset.genders)),
        features.OCCUPATION: lambda: Vocabulary(1, tuple(dataset.occupations)),
    }
    return {name: make[name]() for name in {v.rows for v in variables if v.rows}}


def description(model: Recommender, config: TrainerConfig, dataset: Dataset) -> str:
    """What `read_base` needs beside a model's weights.

    Args:
      model: to be exported.
      config: of its training.
      dataset: that it learned from.

    Returns:
      The text of DESCRIPTION.
    """
    variables = describe(model)
    vocabularies = vocabularies_of(variables, config, dataset)
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
    return json.dumps(content)


def read_base(path: str, config: TrainerConfig) -> BaseModel:
    """Reads an exported model's weights and their description.

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
    checkpoint = tf.train.load_checkpoint(os.path.join(path, "variables", "variables"))
    values = [
        np.zeros(0)
        if variable.state
        # ServingModel's list of weights.
        else checkpoint.get_tensor(f"_weights/{number}/.ATTRIBUTES/VARIABLE_VALUE")
        for number, variable in enumerate(variables)
    ]
    vocabularies = {
        name: Vocabulary(v["first"], tuple(entry.encode(errors=_ANY) for entry in v["entries"]))
        for name, v in content["vocabularies"].items()
    }
    return BaseModel(
        path, content["model"], content["settings"], variables, tuple(values), vocabularies
    )


def _encoded(names: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(name.encode() for name in names)


def _item_vocabulary(catalog: Catalog) -> tuple[bytes, ...]:
    """Raw ids by item index; the catalog has every item of the vocabulary."""
    known = catalog.item_index < catalog.num_vocabulary
    order = np.argsort(catalog.item_index[known])
    return tuple(catalog.item_ids[known][order].tolist())
