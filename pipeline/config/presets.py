"""Named configurations.

A preset is a RunConfig that was tried; `--preset NAME` starts from it. Called
by the runners.
"""

from __future__ import annotations

from components.evaluator.gate.config import GateConfig
from components.example_gen.config import RANDOM, IngestConfig
from pipeline.config.run import DataConfig, RunConfig
from schema.settings import check_choice
from trainer.config.baselines import EASEConfig, IALSConfig, ItemKNNConfig, MFConfig
from trainer.config.neumf import NeuMFConfig
from trainer.config.optimizer import OptimizerConfig
from trainer.config.ratings import MultiTaskConfig, RatingConfig
from trainer.config.trainer import TrainerConfig
from trainer.config.two_tower import TwoTowerConfig

DEFAULT = "ml-100k-neumf"

_NEUMF_100K = TrainerConfig(
    model="neumf",
    epochs=20,
    batch_size=1024,
    learning_rate=0.003,
    patience=3,
    refit=True,
    neumf=NeuMFConfig(embedding_dim=32, hidden_units=(64, 32, 16), l2_mlp=(0.0, 0.0, 0.0)),
)
_NEUMF_1M = TrainerConfig(
    model="neumf",
    epochs=15,
    batch_size=2048,
    learning_rate=0.002,
    patience=3,
    refit=True,
    neumf=NeuMFConfig(embedding_dim=32, hidden_units=(64, 64, 32, 16)),
)
_TWO_TOWER_100K = TrainerConfig(
    model="two_tower",
    epochs=20,
    batch_size=1024,
    learning_rate=0.003,
    patience=3,
    validation_protocol="full",
    refit=True,
    two_tower=TwoTowerConfig(embedding_dim=64),
)
_TWO_TOWER_1M = _TWO_TOWER_100K.replace(epochs=12, learning_rate=0.001)
_HSTU_1M = TrainerConfig(
    model="two_tower",
    epochs=20,
    batch_size=64,
    learning_rate=0.002,
    optimizer=OptimizerConfig(
        beta2=0.98, schedule="cosine", warmup_share=0.05, average_decay=0.998
    ),
    patience=0,
    validation_protocol="full",
    two_tower=TwoTowerConfig(
        embedding_dim=64,
        user_features=("history",),
        item_features=("id",),
        history_encoder="hstu",
        history_limit=200,
        loss="full_softmax",
        temperature=0.05,
    ),
)
_POPULARITY = TrainerConfig(model="popularity", epochs=1, refit=True)
_ITEMKNN = TrainerConfig(
    model="itemknn", epochs=1, refit=True, itemknn=ItemKNNConfig(neighbors=50, shrinkage=10.0)
)
_EASE = TrainerConfig(model="ease", epochs=1, refit=True, ease=EASEConfig(l2=1320.0))
_IALS = TrainerConfig(
    model="ials", epochs=12, patience=0, refit=True, ials=IALSConfig(embedding_dim=192)
)
_MF = TrainerConfig(
    model="mf",
    epochs=40,
    batch_size=8192,
    learning_rate=0.002,
    optimizer=OptimizerConfig(schedule="cosine"),
    negatives_per_positive=8,
    patience=5,
    refit=True,
    mf=MFConfig(embedding_dim=192, l2=0.005),
)

_RATING_100K = TrainerConfig(
    model="rating",
    epochs=30,
    batch_size=512,
    learning_rate=0.001,
    patience=3,
    refit=True,
    rating=RatingConfig(embedding_dim=32, l2=0.02),
)
_RATINGS_GATE = GateConfig(must_beat_popularity=False, max_drop=None, max_rmse=0.96)
_MULTI_TASK_100K = _TWO_TOWER_100K.replace(
    model="multi_task", multi_task=MultiTaskConfig(hidden_units=(64,))
)

# He et al.'s split has no published archive: its presets need a folder.
_NCF = DataConfig(dataset="ncf-ml-1m", format="ncf")

PRESETS = {
    "ml-100k-neumf": RunConfig(data=DataConfig(dataset="ml-100k"), trainer=_NEUMF_100K),
    "ml-100k-two-tower": RunConfig(data=DataConfig(dataset="ml-100k"), trainer=_TWO_TOWER_100K),
    "ml-100k-rating": RunConfig(
        data=DataConfig(dataset="ml-100k", ingest=IngestConfig(split=RANDOM)),
        trainer=_RATING_100K,
        gate=_RATINGS_GATE,
    ),
    "ml-100k-multi-task": RunConfig(data=DataConfig(dataset="ml-100k"), trainer=_MULTI_TASK_100K),
    "ml-1m-neumf": RunConfig(data=DataConfig(dataset="ml-1m"), trainer=_NEUMF_1M),
    "ml-1m-two-tower": RunConfig(data=DataConfig(dataset="ml-1m"), trainer=_TWO_TOWER_1M),
    "ncf-ml-1m-neumf": RunConfig(data=_NCF, trainer=_NEUMF_1M),
    "ncf-ml-1m-two-tower": RunConfig(data=_NCF, trainer=_TWO_TOWER_1M),
    "ncf-ml-1m-hstu": RunConfig(data=_NCF, trainer=_HSTU_1M),
    # Popularity cannot lie above itself.
    "ncf-ml-1m-popularity": RunConfig(
        data=_NCF, trainer=_POPULARITY, gate=GateConfig(must_beat_popularity=False)
    ),
    "ncf-ml-1m-itemknn": RunConfig(data=_NCF, trainer=_ITEMKNN),
    "ncf-ml-1m-mf": RunConfig(data=_NCF, trainer=_MF),
    "ncf-ml-1m-ials": RunConfig(data=_NCF, trainer=_IALS),
    "ncf-ml-1m-ease": RunConfig(data=_NCF, trainer=_EASE),
}


def get(name: str) -> RunConfig:
    """Look a preset up.

    Args:
      name: one of PRESETS.

    Returns:
      Its configuration.

    Raises:
      UserError: no such preset; the nearest name is given.
    """
    check_choice("--preset", name, tuple(PRESETS))
    return PRESETS[name]
