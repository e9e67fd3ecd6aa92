"""A model is one module and one row: this file is the module, and nothing else knows the model."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import yaml
from pydantic import PositiveInt

import local_runner
from schema import features
from schema.errors import UserError
from schema.settings import Settings, from_dict, replace_values
from tests.support import planted
from tests.support.conformance import Conformance, exported, users_of
from trainer.config.domains import Range
from trainer.config.models import MODELS, ModelSpec
from trainer.config.trainer import TrainerConfig
from trainer.config.tuning import TuningConfig
from trainer.data.catalog import CatalogTensors
from trainer.models import losses
from trainer.models.base import Recommender
from trainer.models.pairs import pair_embeddings, sampled_items
from trainer.training.train import train
from trainer.training.warm_start_source import read_warm_start_source
from trainer.tuning.search import tune

pytestmark = pytest.mark.seconds


class ToyConfig(Settings):
    """Settings of Toy."""

    dim: PositiveInt = 8
    """Width of the embeddings."""


class Toy(Recommender):
    """score(u, i) = p_u . q_i, trained by BPR."""

    def __init__(self, settings, num_users, catalog):
        super().__init__(catalog)
        normal = tf.keras.initializers.RandomNormal(stddev=0.1)
        self._users = self.add_weight("user", (num_users, settings.dim), initializer=normal)
        self._items = self.add_weight("item", (catalog.size, settings.dim), initializer=normal)

    @classmethod
    def from_config(cls, config, sizes):
        return cls(config.section(ToyConfig), sizes.num_users, CatalogTensors(sizes.catalog))

    def tables(self):
        return {features.USER_ID: [self._users], features.CATALOG: [self._items]}

    def user_embedding(self, users, training=False):
        return tf.gather(self._users, users[features.USER_INDEX])

    def item_embedding(self, positions, training=False):
        return tf.gather(self._items, positions)

    def score(self, user_embeddings, item_embeddings):
        return tf.linalg.matvec(item_embeddings, user_embeddings)

    def score_all(self, user_embeddings, item_embeddings):
        return tf.matmul(user_embeddings, item_embeddings, transpose_b=True)

    def compute_loss(self, inputs, training=False):
        items = pair_embeddings(self, sampled_items(inputs), training)
        return losses.bpr(self.score(self.user_embedding(inputs, training), items))


ROW = ModelSpec(
    model=f"{__name__}.Toy",
    sections={"toy": ToyConfig},
    default_space={
        "learning_rate": Range(low=0.01, high=0.1, log=True),
        "toy.dim": (2, 4, 8),
    },
    needs_negatives=lambda config: True,
)
VALUES = {
    **{"model": "toy", "epochs": 12, "batch_size": 64, "learning_rate": 0.05, "patience": 0},
    "toy": {"dim": 4},
}


@pytest.fixture(scope="module", autouse=True)
def row():
    MODELS["toy"] = ROW
    yield
    del MODELS["toy"]


@pytest.fixture(scope="module")
def dataset():
    return planted.make_dataset()


def configured(**changes):
    return replace_values(from_dict(TrainerConfig, VALUES), changes)


class TestToy(Conformance):
    @pytest.fixture(scope="class")
    def config(self):
        return configured()


def test_its_section_is_read_and_has_its_defaults():
    assert from_dict(TrainerConfig, VALUES).section(ToyConfig) == ToyConfig(dim=4)
    assert from_dict(TrainerConfig, {"model": "toy"}).section(ToyConfig) == ToyConfig()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"toy": {"dmi": 4}}, r"Unknown key 'trainer\.toy\.dmi'; did you mean 'trainer\.toy\.dim'"),
        ({"toi": {"dim": 4}}, r"Unknown key 'trainer\.toi'; did you mean 'trainer\.toy'"),
        ({"toy": {"dim": 0}}, r"trainer\.toy\.dim: expected .*, got 0"),
        ({"toy": {"dim": "wide"}}, r"trainer\.toy\.dim: expected an integer, got 'wide'"),
        ({"model": "toi"}, r"trainer\.model: expected one of .*did you mean 'toy'"),
    ],
)
def test_mistakes_in_its_section_are_named(values, message):
    with pytest.raises(UserError, match=message):
        from_dict(TrainerConfig, values, "trainer")


def test_without_its_row_its_section_is_unknown(monkeypatch):
    monkeypatch.delitem(MODELS, "toy")
    with pytest.raises(UserError, match="Unknown key 'toy'"):
        from_dict(TrainerConfig, {"toy": {"dim": 4}})


def test_the_command_line_sets_it(tmp_path, capsys):
    file = tmp_path / "toy.yaml"
    file.write_text("trainer: {model: toy, epochs: 2}")
    arguments = ["--config", str(file), "--set", "trainer.toy.dim=3", "--print-config"]
    assert local_runner.main(arguments) == 0
    printed = yaml.safe_load(capsys.readouterr().out)["trainer"]
    assert (printed["model"], printed["epochs"], printed["toy"]) == ("toy", 2, {"dim": 3})
    arguments[3] = "trainer.toy.dmi=3"
    assert local_runner.main(arguments) == 2
    assert "did you mean 'trainer.toy.dim'" in capsys.readouterr().err


def test_a_search_varies_its_default_space(dataset):
    config = configured(epochs=2, jit_compile=False)
    search = tune(config, planted.EVALUATION, dataset, TuningConfig(trials=3))
    first, *others = [trial.values for trial in search.trials]
    assert first == {"learning_rate": 0.05, "toy.dim": 4}
    for values in others:
        assert 0.01 <= values["learning_rate"] <= 0.1
        assert values["toy.dim"] in (2, 4, 8)


def test_it_starts_from_its_last_weights_by_id(dataset, tmp_path):
    config = configured(jit_compile=False, warm_start=True)
    first = train(config, planted.EVALUATION, dataset, None)
    path = exported(first, config, dataset, tmp_path / "model")
    base = read_warm_start_source(path, config)
    # Without u0 to u3 and i0 to i3, with u80 to u87 and i60 to i67, all in another order.
    grown = planted.make_dataset(users=84, items=64, first=4)
    once = replace_values(config, {"epochs": 1})
    warm = train(once, planted.EVALUATION, grown, None, base=base)
    cold = train(replace_values(once, {"warm_start": False}), planted.EVALUATION, grown, None)
    assert warm.report["warm_start"]["rows"] == {
        features.USER_ID: {"carried": 76, "new": 8, "dropped": 4},
        features.CATALOG: {"carried": 56, "new": 8, "dropped": 4},
    }
    assert warm.report["history"][0]["loss"] < 0.8 * cold.report["history"][0]["loss"]
    wider = configured(warm_start=True, **{"toy.dim": 8})
    with pytest.raises(UserError, match=r"toy\.dim 4 there and 8 here"):
        train(wider, planted.EVALUATION, dataset, None, base=base)


def test_it_is_served(dataset, tmp_path):
    config = configured(jit_compile=False)
    trained = train(config, planted.EVALUATION, dataset, None)
    loaded = tf.saved_model.load(exported(trained, config, dataset, tmp_path / "model"))
    user = dataset.train.user_id[5].decode()
    found = loaded.signatures["recommend"](
        user_id=tf.constant([user]), exclude_item_id=tf.constant([[""]]), k=tf.constant(3)
    )
    model = trained.model
    scores = model.score_all(
        model.user_embedding(users_of(model, dataset)), model.item_embedding(tf.range(60))
    )[5].numpy()
    known = dataset.known
    scores[known.positions[known.splits[5] : known.splits[6]]] = -np.inf
    best = np.argsort(-scores)[:3]
    assert found["item_id"].numpy()[0].tolist() == dataset.catalog.item_ids[best].tolist()
    np.testing.assert_allclose(found["score"][0], scores[best], rtol=1e-5)


def test_a_row_whose_class_is_missing_trains_nothing(monkeypatch, dataset):
    monkeypatch.setitem(MODELS, "toy", dataclasses.replace(ROW, model=f"{__name__}.Absent"))
    with pytest.raises(AttributeError, match="Absent"):
        train(configured(), planted.EVALUATION, dataset, None)
