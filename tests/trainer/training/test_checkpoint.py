"""A killed training goes on and ends where one that was not killed ends; pretraining's stages."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector import projector_config_pb2

from tests.support import planted
from trainer.config.neumf import NeuMFConfig, PretrainConfig
from trainer.config.optimizer import OptimizerConfig
from trainer.config.sequence import SequenceConfig
from trainer.config.two_tower import TwoTowerConfig
from trainer.training.checkpoint import digest
from trainer.training.loops import base as loop
from trainer.training.train import train

# Pretrained and refitted: five stages of which any can be the one that is killed.
EVALUATION = planted.EVALUATION
PRETRAINED = planted.CONFIGS["neumf"].replace(
    epochs=2,
    refit=True,
    # Compiling five stages takes longer than training them.
    jit_compile=False,
    optimizer=OptimizerConfig(schedule="cosine", warmup_steps=3),
    neumf=NeuMFConfig(
        embedding_dim=4,
        hidden_units=(8, 8),
        l2_mlp=(0.0, 0.0),
        pretrain=PretrainConfig(gmf_epochs=3, mlp_epochs=2, learning_rate=0.02),
    ),
)

pytestmark = pytest.mark.seconds


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def dataset():
    return planted.make_dataset()


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return train(PRETRAINED, EVALUATION, dataset, str(folder)), folder


def killed_in_epoch(number, config, dataset, folder, monkeypatch):
    """Trains until the number-th epoch of all stages is half done."""
    begun = [0]
    original = loop.Progress.advance

    def advance(self, epoch, fraction, loss):
        begun[0] += fraction >= 1.0
        if begun[0] == number:
            raise Killed
        original(self, epoch, fraction, loss)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Progress, "advance", advance)
        with pytest.raises(Killed):
            train(config, EVALUATION, dataset, str(folder / "first"), str(folder / "states"))


def assert_equal_weights(left, right):
    for one, other in zip(left.get_weights(), right.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def without_times(report):
    if isinstance(report, dict):
        return {
            key: without_times(value)
            for key, value in report.items()
            if "second" not in key and key not in ("finished", "resumed_epochs")
        }
    return [without_times(value) for value in report] if isinstance(report, list) else report


def test_a_killed_training_ends_with_the_weights_of_an_uninterrupted_one(
    dataset, whole, tmp_path, monkeypatch
):
    # Epochs 1-3 are GMF's, 4-5 MLP's, 6-7 NeuMF's.
    killed_in_epoch(7, PRETRAINED, dataset, tmp_path, monkeypatch)
    again = train(
        PRETRAINED, EVALUATION, dataset, str(tmp_path / "second"), str(tmp_path / "states")
    )
    assert_equal_weights(again.model, whole[0].model)
    assert without_times(again.report) == without_times(whole[0].report)
    stages = [*again.report["pretraining"], again.report]
    assert [stage["resumed_epochs"] for stage in stages] == [3, 2, 1]
    best = again.report["best_epoch"]
    assert (tmp_path / "second" / "checkpoints" / f"ckpt-{best}.index").exists()


DROPPED = TwoTowerConfig(embedding_dim=8, feature_dim=4, dropout=0.3)
SEQUENCES = planted.SEQUENCE_TOWERS.replace(
    history_limit=5, sequence=SequenceConfig(blocks=1, dropout=0.3)
)


@pytest.mark.parametrize(
    ("towers", "average_decay"), [(DROPPED, 0.0), (DROPPED, 0.9), (SEQUENCES, 0.9)]
)
def test_dropout_and_averages_go_on_where_they_were(
    dataset, tmp_path, monkeypatch, towers, average_decay
):
    config = planted.CONFIGS["two_tower"].replace(
        epochs=3,
        batch_size=32,
        jit_compile=False,
        optimizer=OptimizerConfig(average_decay=average_decay),
        two_tower=towers,
    )
    expected = train(config, EVALUATION, dataset, str(tmp_path / "whole"))
    killed_in_epoch(3, config, dataset, tmp_path, monkeypatch)
    again = train(config, EVALUATION, dataset, str(tmp_path / "second"), str(tmp_path / "states"))
    assert again.report["resumed_epochs"] == 2
    assert again.report["best_epoch"] == 3
    assert_equal_weights(again.model, expected.model)


def test_states_are_kept_every_n_epochs(dataset, tmp_path, monkeypatch):
    config = planted.CONFIGS["gmf"].replace(epochs=6, checkpoint_every=2, jit_compile=False)
    killed_in_epoch(4, config, dataset, tmp_path, monkeypatch)
    assert [path.name for path in (tmp_path / "states/choose-gmf").glob("epoch-*")] == ["epoch-2"]
    none = config.replace(checkpoint_every=0, epochs=1)
    train(none, EVALUATION, dataset, str(tmp_path / "run"), str(tmp_path / "unused"))
    assert not (tmp_path / "unused").exists()


def test_the_digest_follows_settings_and_data(dataset):
    first = digest(PRETRAINED, dataset)
    assert first == digest(PRETRAINED, planted.make_dataset())
    assert first != digest(PRETRAINED.replace(seed=1), dataset)
    assert first != digest(PRETRAINED, planted.make_dataset(seed=1))
    titles = dataset.catalog.titles.copy()
    titles[0] = b"Another"
    catalog = dataclasses.replace(dataset.catalog, titles=titles)
    assert first != digest(PRETRAINED, dataclasses.replace(dataset, catalog=catalog))


def test_pretraining_is_reported_by_stage_and_starts_the_fine_tuning(whole):
    report = whole[0].report
    json.dumps(report)
    assert [(stage["model"], stage["epochs"]) for stage in report["pretraining"]] == [
        ("gmf", 3),
        ("mlp", 2),
    ]
    assert all(stage["best_validation"]["ndcg"] > 0 for stage in report["pretraining"])
    # Random weights would give a hit rate of 5/21 and the loss of a coin.
    assert report["initial_validation"]["hr"] > report["pretraining"][1]["best_validation"]["hr"]
    assert report["history"][0]["loss"] < 0.6


def test_fine_tuning_that_only_harms_leaves_the_fused_weights(dataset, tmp_path):
    config = PRETRAINED.replace(learning_rate=3.0, epochs=1, refit=False)
    report = train(config, EVALUATION, dataset, str(tmp_path)).report
    assert report["best_epoch"] == 0
    assert report["best_validation"] == report["initial_validation"]


def test_training_stops_at_the_target_hit_rate(dataset, tmp_path):
    config = planted.CONFIGS["gmf"].replace(hr_threshold=0.6, jit_compile=False)
    report = train(config, EVALUATION, dataset, str(tmp_path)).report
    reached = [epoch["valid_hr"] >= 0.6 for epoch in report["history"]]
    assert reached == [False] * (len(reached) - 1) + [True]
    assert report["stopped_by"] == "hr_threshold"
    assert len(reached) < config.epochs


def test_the_projector_gets_codes_and_titles(whole, dataset):
    _, folder = whole
    logs = folder / "logs" / "gmf"
    config = text_format.Parse(
        (logs / "projector_config.pbtxt").read_text(), projector_config_pb2.ProjectorConfig()
    )
    entry = config.embeddings[0]
    codes = np.loadtxt(logs / entry.tensor_path, delimiter="\t")
    assert codes.shape == (dataset.catalog.size, 4)
    rows = (logs / entry.metadata_path).read_text().splitlines()
    assert rows[0].split("\t") == ["title", "genres", "item_id", "interactions"]
    counts = dataset.train.counts(dataset.catalog.size)
    assert rows[2].split("\t") == ["Title 1", "Comedy", "i1", str(counts[1])]
    final = np.loadtxt(folder / "logs" / "items.tsv", delimiter="\t")
    assert final.shape == (dataset.catalog.size, 4 + 8)


def test_speed_is_told_by_epoch_and_over_all(whole):
    report = whole[0].report
    for epoch in report["history"]:
        assert epoch["steps"] == 10
        assert epoch["steps_per_second"] == pytest.approx(10 / epoch["seconds"])
        assert epoch["examples_per_second"] == pytest.approx(3200 / epoch["seconds"])
    assert report["steps"] == 10 * report["epochs"]
    assert report["seconds"] == pytest.approx(sum(e["seconds"] for e in report["history"]))
    assert tf.io.gfile.exists(str(whole[1] / "logs"))
