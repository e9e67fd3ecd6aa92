"""RecommenderTrainer: its own executor on what the real upstream components wrote."""

import dataclasses
import json
import pathlib

import pytest
import synthetic
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components import Transform
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import transform_pb2
from tfx.types import channel_utils, standard_artifacts

from components.example_gen.component import CatalogExampleGen, InteractionsExampleGen
from components.example_gen.config import IngestConfig
from components.trainer.component import RecommenderTrainer
from schema import curated, features, settings
from trainer.config import NeuMFConfig, TrainerConfig
from trainer.evaluation_config import EvaluationConfig
from trainer.rows import vocabulary

CONFIG = TrainerConfig(
    epochs=2,
    batch_size=256,
    learning_rate=0.02,
    neumf=NeuMFConfig(embedding_dim=4, hidden_units=(8, 4), l2_mlp=(0.0, 0.0)),
)


class Runner:
    """Runs executors one by one, giving each output artifact a folder."""

    def __init__(self, folder):
        self._folder = folder

    def __call__(self, component, **inputs):
        work = self._folder / component.id
        outputs = {}
        for name, channel in component.spec.outputs.items():
            outputs[name] = [channel.type()]
            outputs[name][0].uri = str(work / name)
        executor = component.executor_spec.executor_class
        arguments = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=arguments, tmp_dir=str(work / "temporary"), unique_id="1"
        )
        artifacts = {name: [artifact] for name, artifact in inputs.items()}
        executor(context).Do(artifacts, outputs, dict(component.exec_properties))
        return {name: artifact[0] for name, artifact in outputs.items()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trainer")
    data = synthetic.write(folder / "raw", "ml-100k", users=60, items=40)
    source = {"input_base": str(data.folder), "format_name": "ml-100k", "source_digest": ""}
    run = Runner(folder)
    examples = run(InteractionsExampleGen(config=IngestConfig(), **source))["examples"]
    catalog = run(CatalogExampleGen(**source))["examples"]
    schema = standard_artifacts.Schema()
    schema.uri = str(folder / "schema")
    (folder / "schema").mkdir()
    (folder / "schema/schema.pbtxt").write_text(curated.read(curated.INTERACTIONS))
    channel = channel_utils.as_channel
    transform = run(
        Transform(
            examples=channel([examples]),
            schema=channel([schema]),
            preprocessing_fn="transform.preprocessing.preprocessing_fn",
            splits_config=transform_pb2.SplitsConfig(
                analyze=[features.TRAIN], transform=[features.TRAIN, features.VALID]
            ),
            disable_statistics=True,
            custom_config={"transform": {}},
        ),
        examples=examples,
        schema=schema,
    )

    def train(config, **base_model):
        component = RecommenderTrainer(
            examples=channel([transform["transformed_examples"]]),
            transform_graph=channel([transform["transform_graph"]]),
            catalog=channel([catalog]),
            custom_config={
                "trainer": settings.to_dict(config),
                "evaluation": settings.to_dict(EvaluationConfig(k=3)),
                "user_oov_buckets": 1,
                "item_oov_buckets": 1,
            },
            **{name: channel([model]) for name, model in base_model.items()},
        )
        return run(
            component.with_id(f"Trainer{len(base_model)}"),
            examples=transform["transformed_examples"],
            transform_graph=transform["transform_graph"],
            catalog=catalog,
            **base_model,
        )

    first = train(CONFIG)
    warm = train(
        dataclasses.replace(CONFIG, warm_start=True, jit_compile=False), base_model=first["model"]
    )
    return data, transform, first, warm


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
    titles = {item.title.encode() for item in data.items}
    assert set(answer["title"].numpy()[0].tolist()) - {b""} <= titles


def test_the_report_tells_what_was_trained(trained):
    data, _, outputs, _ = trained
    report = json.loads((pathlib.Path(outputs["model_run"].uri) / "training.json").read_text())
    # Each of the 60 users holds out two interactions; four negatives a positive.
    positives = len(data.interactions) - 2 * len(data.users)
    assert report["examples"] == report["epochs"] * 5 * positives
    assert [epoch["number"] for epoch in report["history"]] == [1, 2]


def test_the_served_indices_are_those_of_transform(trained):
    data, transform, *_ = trained
    known = tft.TFTransformOutput(transform["transform_graph"].uri).vocabulary_by_name(
        features.USER_VOCABULARY
    )
    assert sorted(known) == sorted(user.user_id.encode() for user in data.users)
    files = tf.io.gfile.glob(f"{transform['transformed_examples'].uri}/Split-train/*")
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
        json.loads((pathlib.Path(outputs["model_run"].uri) / "training.json").read_text())
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
