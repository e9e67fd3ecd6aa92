"""What an epoch's line says."""

import types

import pytest

from trainer.config.trainer import TrainerConfig
from trainer.training.early_stopping import EarlyStopping
from trainer.training.loops.base import Epoch


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        ({"hr": 0.5, "ndcg": 0.25}, "valid HR 0.5000 NDCG 0.2500 under sampled (best)"),
        ({"rmse": 0.9, "ndcg": 0.25}, "valid RMSE 0.9000 NDCG 0.2500 under sampled (best)"),
    ],
)
def test_the_line_of_an_epoch_names_the_protocol(metrics, told):
    lines = []
    follow = EarlyStopping(
        model=types.SimpleNamespace(get_weights=list),
        validator=lambda: metrics,
        config=TrainerConfig(validation_protocol="sampled", epochs=3),
        run_dir=None,
        name="",
        progress=types.SimpleNamespace(line=lines.append),
    )
    follow(Epoch(number=1, loss=0.5, seconds=2.0, examples=10, steps=1))
    (line,) = lines
    assert told in line
