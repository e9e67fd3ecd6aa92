"""Named configurations.

A preset is a RunConfig that was tried; `--preset NAME` starts from it. Called
by the runners.
"""

from __future__ import annotations

from pipeline.config import DataConfig, RunConfig
from schema.settings import check_choice
from trainer.config import NeuMFConfig, TrainerConfig, TwoTowerConfig

DEFAULT = "ml-100k-neumf"

_NEUMF = TrainerConfig(model="neumf", neumf=NeuMFConfig())
_TWO_TOWER = TrainerConfig(model="two_tower", two_tower=TwoTowerConfig())

# He et al.'s split has no published archive: its presets need a folder.
_NCF = DataConfig(dataset="ncf-ml-1m", format="ncf")

PRESETS = {
    "ml-100k-neumf": RunConfig(data=DataConfig(dataset="ml-100k"), trainer=_NEUMF),
    "ml-100k-two-tower": RunConfig(data=DataConfig(dataset="ml-100k"), trainer=_TWO_TOWER),
    "ml-1m-neumf": RunConfig(data=DataConfig(dataset="ml-1m"), trainer=_NEUMF),
    "ml-1m-two-tower": RunConfig(data=DataConfig(dataset="ml-1m"), trainer=_TWO_TOWER),
    "ncf-ml-1m-neumf": RunConfig(data=_NCF, trainer=_NEUMF),
    "ncf-ml-1m-two-tower": RunConfig(data=_NCF, trainer=_TWO_TOWER),
}


def get(name: str) -> RunConfig:
    """Looks a preset up.

    Args:
      name: one of PRESETS.

    Returns:
      Its configuration.

    Raises:
      UserError: no such preset; the nearest name is given.
    """
    check_choice("--preset", name, tuple(PRESETS))
    return PRESETS[name]
