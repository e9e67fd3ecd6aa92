"""Settings that a run may still change after its pipeline was compiled.

A compiled pipeline carries its configuration; a cluster's runtime parameters
reach the Trainer and the Tuner as execution properties, which their executors
(components.trainer, components.tuner) put over it by `changed`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from schema.errors import UserError
from schema.settings import check, from_dict, replace_values, to_dict
from trainer.config.trainer import TrainerConfig

EPOCHS_KEY = "epochs"
OVERRIDES_KEY = "trainer_overrides"
# Other components were compiled for these.
COMPILED = ("model", "warm_start", "validation_protocol", "negatives_per_positive")


def changed(trainer: dict[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a training as its run wants it.

    Args:
      trainer: a TrainerConfig as dict, as compiled.
      properties: execution properties. EPOCHS_KEY holds a number of epochs,
        OVERRIDES_KEY a JSON object of values by dotted key of TrainerConfig;
        either may be missing. The overrides win.

    Returns:
      A TrainerConfig as dict, checked.

    Raises:
      UserError: no JSON object, an unknown key, a bad value, or a key that is
        decided when the pipeline is compiled.
    """
    epochs, text = properties.get(EPOCHS_KEY), properties.get(OVERRIDES_KEY)
    if epochs is None and text is None:
        return trainer
    text = text or "{}"
    try:
        overrides = json.loads(text)
    except json.JSONDecodeError:
        overrides = None
    if not isinstance(overrides, dict):
        raise UserError(
            f'{OVERRIDES_KEY}: expected a JSON object such as {{"learning_rate": 0.002}}, '
            f"got {text!r}."
        )
    for key in overrides:
        check(
            key.partition(".")[0] not in COMPILED,
            f"{OVERRIDES_KEY}: {key} is decided when the pipeline is compiled; compile it "
            f"with --set trainer.{key}=... instead.",
        )
    if epochs is not None:
        overrides = {EPOCHS_KEY: epochs, **overrides}
    config = from_dict(TrainerConfig, trainer, "trainer")
    try:
        return to_dict(replace_values(config, overrides))
    except UserError as error:
        raise UserError(f"{OVERRIDES_KEY}: {error}") from None
