"""Small exported models, held-out rows, and the Evaluator component run on them.

Forty users hold out the items 0 .. 9 of 30; ranking by popularity puts item j
at position j. Item codes are unit vectors, so a model's user codes are its
scores. Users 0 .. 29 have a gender by turns, so fifteen are women.
"""

import numpy as np
import pytest
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts

from components.evaluator.component import RecommenderEvaluator
from components.evaluator.eval_config import build_eval_config
from components.evaluator.gate.config import GateConfig
from components.evaluator.keys import BLESSING_KEY
from schema import curated
from schema.settings import to_dict
from tests.support.toy_model import make_serving, row
from trainer.config.evaluation import EvaluationConfig, ProtocolConfig
from trainer.serving.export import export

USERS, ITEMS, SEEN = 40, 30, 29
TARGETS = np.arange(USERS) % 10
WOMEN = range(0, 30, 2)
COUNTS = np.arange(ITEMS, 0, -1)
# What the gates of these tests look at; a second protocol and the other metrics take
# as long again, and whole pipelines have them.
FEW = EvaluationConfig(
    protocols={"full": ProtocolConfig()}, metrics=("hr", "ndcg"), slices=("gender",)
)
GAINS = 1 / np.log2(np.arange(10) + 2)


def scores(positions):
    """Scores float [USERS, ITEMS] that put each user's target at a position."""
    made = np.empty((USERS, ITEMS))
    for user, (target, position) in enumerate(zip(TARGETS, positions, strict=True)):
        rest = [item for item in range(ITEMS) if item != target]
        made[user, rest] = -np.arange(ITEMS - 1)
        made[user, target] = 0.5 - position
    return made


def everyone(position):
    return scores(np.full(USERS, position))


def unfair():
    """Better than `everyone(1)`, but not for women."""
    positions = np.zeros(USERS)
    positions[list(WOMEN)] = 3
    return scores(positions)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folder of Model artifacts by name."""
    folder = tmp_path_factory.mktemp("models")
    generator = np.random.default_rng(1)
    unit = np.eye(ITEMS)
    for name, codes, items in (
        ("good", everyone(0), unit),
        ("middling", everyone(1), unit),
        ("unfair", unfair(), unit),
        ("random", everyone(0), generator.normal(size=(ITEMS, ITEMS))),
    ):
        serving = make_serving(codes, items, COUNTS, [[SEEN]] * USERS)
        export(serving, str(folder / name / "Format-Serving"))
    # Trained on an earlier catalog and on fewer users, and diverged.
    few = make_serving(np.full((30, 28), np.nan), np.eye(28), COUNTS[:28], [[]] * 30)
    export(few, str(folder / "earlier" / "Format-Serving"))
    tf.saved_model.save(tf.Module(), str(folder / "foreign" / "Format-Serving"))
    return folder


@pytest.fixture(scope="session")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    (folder / "Split-test").mkdir()
    with tf.io.TFRecordWriter(str(folder / "Split-test" / "data.gz"), "GZIP") as writer:
        for user, target in enumerate(TARGETS):
            known = {"gender": "FM"[user % 2], "age": 30} if user < 30 else {}
            writer.write(row(f"u{user}", [f"i{SEEN}"], f"i{target}", **known))
    return folder


@pytest.fixture(scope="session")
def schema(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schema")
    (folder / "schema.pbtxt").write_text(curated.read(curated.INTERACTIONS))
    return folder


def artifact(cls, path, number):
    made = cls()
    made.uri, made.id = str(path), number
    return made


class Evaluation:
    """A run of the component on the models' and the examples' folders.

    Attributes:
      blessing: the artifact.
      uri: of the evaluation.
    """

    def __init__(self, blessing, uri):
        self.blessing = blessing
        self.uri = uri

    @property
    def blessed(self):
        return self.blessing.get_int_custom_property("blessed") == 1


@pytest.fixture(scope="session")
def usual():
    """What evaluations are under unless a test says otherwise."""
    return FEW


@pytest.fixture(scope="session")
def evaluate(models, examples, schema, tmp_path_factory):
    def run(candidate, baseline=None, *, gate=None, blessing=None, force=None, evaluation=None):
        work = tmp_path_factory.mktemp("evaluation")
        settings = evaluation or FEW
        held_out = artifact(standard_artifacts.Examples, examples, 1)
        held_out.split_names = artifact_utils.encode_split_names(["test"])
        inputs = {
            "examples": [held_out],
            "model": [artifact(standard_artifacts.Model, models / candidate, 12)],
            "schema": [artifact(standard_artifacts.Schema, schema, 2)],
        }
        before = artifact(standard_artifacts.Model, models / (baseline or ""), 11)
        inputs["baseline_model"] = [before] if baseline else []
        inputs[BLESSING_KEY] = [blessing] if blessing else []
        gate = gate or GateConfig()
        component = RecommenderEvaluator(
            examples=types.Channel(type=standard_artifacts.Examples),
            model=types.Channel(type=standard_artifacts.Model),
            baseline_model=types.Channel(type=standard_artifacts.Model),
            baseline_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            schema=types.Channel(type=standard_artifacts.Schema),
            eval_config=build_eval_config(settings, "digest"),
            settings={
                "evaluation": to_dict(settings),
                "gate": to_dict(gate),
                "force_bless": force,
                "source_digest": "digest",
            },
        )
        outputs = {
            "evaluation": [artifact(standard_artifacts.ModelEvaluation, work / "evaluation", 21)],
            "blessing": [artifact(standard_artifacts.ModelBlessing, work / "blessing", 22)],
        }
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=["--runner=DirectRunner", "--direct_running_mode=in_memory"],
            tmp_dir=str(work / "temporary"),
            unique_id="1",
        )
        component.executor_spec.executor_class(context).Do(
            inputs, outputs, dict(component.exec_properties)
        )
        return Evaluation(outputs["blessing"][0], str(work / "evaluation"))

    return run
