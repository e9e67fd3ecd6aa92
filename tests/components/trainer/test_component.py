"""RecommenderTrainer: its own executor on what the real upstream components wrote."""

import json
import pathlib

import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx.types import channel_utils

from components.trainer.component import RecommenderTrainer
from schema import features, settings
from tests.support import upstream
from trainer.config import keys
from trainer.config.evaluation import EvaluationConfig
from trainer.config.neumf import NeuMFConfig
from trainer.config.trainer import TrainerConfig
from trainer.ops.lookup import vocabulary

CONFIG = TrainerConfig(
    epochs=2,
    batch_size=256,
    learning_rate=0.02,
    neumf=NeuMFConfig(embedding_dim=4, hidden_units=(8, 4), l2_mlp=(0.0, 0.0)),
)

pytestmark = pytest.mark.seconds


@pytest.fixture(scope="module")
def trained(tmp_path_factory, upstream_made):
    run = upstream.Runner(tmp_path_factory.mktemp("trainer"))
    data, inputs = upstream_made

    def train(config, **base_model):
        channels = {name: [artifact] for name, artifact in {**inputs, **base_model}.items()}
        component = RecommenderTrainer(
            **{name: channel_utils.as_channel(artifacts) for name, artifacts in channels.items()},
            custom_config={
                keys.TRAINER_KEY: settings.to_dict(config),
                keys.EVALUATION_KEY: settings.to_dict(EvaluationConfig(k=3)),
                keys.USER_OOV_KEY: 1,
                keys.ITEM_OOV_KEY: 1,
            },
        )
        return run(component.with_id(f"Trainer{len(base_model)}"), **inputs, **base_model)

    first = train(CONFIG)
    warm = train(CONFIG.replace(warm_start=True, jit_compile=False), base_model=first["model"])
    return data, inputs, first, warm


def test_it_writes_a_model_that_serves_raw_ids(trained):
    data, _, outputs, _ = trained
    model = tf.saved_model.load(str(pathlib.Path(outputs["model"].uri) / "Format-Serving"))
    user = data.users[0].user_id
    answer = model.signatures["recommend"](
        user_id=tf.constant([user]), exclude_item_id=tf.constant([[""]]), k=tf.constant(40)
    )
    recommended = {item.decode() for item in answer["item_id"].numpy()[0]} - {""}
    # All but the test item are known to the model and left out.
    assert recommended == {item.item_id for item in data.items} - set(data.history(user)[:-1])
    titles = {item.full_title.encode() for item in data.items}
    assert set(answer["title"].numpy()[0].tolist()) - {b""} <= titles


def test_the_report_tells_what_was_trained(trained):
    data, _, outputs, _ = trained
    report = json.loads((pathlib.Path(outputs["model_run"].uri) / keys.TRAINING_FILE).read_text())
    # Each of the 60 users holds out two interactions; four negatives a positive.
    positives = len(data.interactions) - 2 * len(data.users)
    assert report["examples"] == report["epochs"] * 5 * positives
    assert [epoch["number"] for epoch in report["history"]] == [1, 2]


def test_the_served_indices_are_those_of_transform(trained):
    data, inputs, *_ = trained
    known = tft.TFTransformOutput(inputs["transform_graph"].uri).vocabulary_by_name(
        features.USER_VOCABULARY
    )
    assert sorted(known) == sorted(user.user_id.encode() for user in data.users)
    files = tf.io.gfile.glob(f"{inputs['examples'].uri}/Split-train/*")
    served = vocabulary(known, 1)
    for record in tf.data.TFRecordDataset(sorted(files), "GZIP"):
        example = tf.train.Example.FromString(record.numpy())
        user = example.features.feature[features.USER_ID].bytes_list.value[0]
        index = example.features.feature[features.USER_INDEX].int64_list.value[0]
        assert known[index] == user
        assert int(served.lookup(tf.constant(user))) == index


def test_a_base_model_is_what_a_warm_start_begins_with(trained):
    data, _, first, warm = trained
    cold, report = (
        json.loads((pathlib.Path(outputs["model_run"].uri) / keys.TRAINING_FILE).read_text())
        for outputs in (first, warm)
    )
    assert cold["warm_start"] is None
    assert report["warm_start"] == {
        "base_model": str(pathlib.Path(first["model"].uri) / "Format-Serving"),
        "rows": {
            "user_id": {"carried": len(data.users), "new": 0, "dropped": 0},
            "item_id": {"carried": len(data.items), "new": 0, "dropped": 0},
        },
        "variables": {"copied": 4, "by_row": 2, "initialized": 0},
    }
    assert report["initial_validation"] == cold["best_validation"]
