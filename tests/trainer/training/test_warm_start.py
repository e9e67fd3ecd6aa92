"""Rows go by raw id, whatever the vocabularies did, and a start from them is a better one."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from schema import features
from schema.errors import UserError
from tests.support import planted
from trainer.config.models import MODELS
from trainer.config.neumf import NeuMFConfig, PretrainConfig
from trainer.config.two_tower import SelfSupervisionConfig, SoftmaxConfig, TwoTowerConfig
from trainer.data.batches import HISTORY, user_tensors
from trainer.data.vocabularies import Vocabulary
from trainer.models import registry
from trainer.models.base import DataSizes
from trainer.serving.export import export, serving_model
from trainer.training.train import train
from trainer.training.warm_start import WarmStart, carried
from trainer.training.warm_start_source import (
    DESCRIPTION,
    read_warm_start_source,
    write_warm_start_source,
)

CLOSED_FORM = [name for name, spec in MODELS.items() if not spec.warm_start]
CONFIGS = {name: c for name, c in planted.CONFIGS.items() if name not in CLOSED_FORM}
CONFIGS["two_tower with all features"] = planted.CONFIGS["two_tower"].replace(
    two_tower=TwoTowerConfig(
        embedding_dim=8,
        feature_dim=4,
        hidden_units=(6,),
        batch_norm=True,
        user_features=("id", "gender", "age", "occupation", "age_value", "history"),
        item_features=("id", "genres", "year", "title", "year_value"),
        title_min_count=1,
        history_limit=3,
        learn_temperature=True,
        softmax=SoftmaxConfig(logq="streaming"),
        ssl=SelfSupervisionConfig(pattern="rfm"),
    ),
)

pytestmark = pytest.mark.seconds


def small(name, **changes):
    return CONFIGS[name].replace(warm_start=True, jit_compile=False, **changes)


@pytest.fixture(scope="module")
def before():
    """Users u0 to u79 and items i0 to i59; user u1 is a woman who writes, and so on."""
    return planted.make_dataset()


@pytest.fixture(scope="module")
def after():
    """Without u0 to u3 and i0 to i3, with u80 to u87 and i60 to i67, all in another order."""
    dataset = planted.make_dataset(users=84, items=64, first=4)
    genres = np.insert(dataset.catalog.genres, 2, 0.0, axis=1)
    genres[0, 2] = 0.0
    context = dataset.train.context.copy()
    context[:, [features.USER_CONTEXT.index(n) for n in ("gender_index", "occupation_index")]] = 2
    return dataclasses.replace(
        dataset,
        catalog=dataclasses.replace(
            dataset.catalog,
            genres=genres,
            genre_names=("Action", "Comedy", "Documentary", "Drama", "Horror"),
        ),
        train=dataclasses.replace(dataset.train, context=context),
        valid=dataclasses.replace(dataset.valid, context=context),
        genders=[b"M", b"F"],
        occupations=[b"artist", b"writer"],
    )


def build(config, dataset):
    sizes = DataSizes(
        dataset.num_users, dataset.context_sizes, dataset.catalog, dataset.user_oov_buckets
    )
    return registry.build(config, sizes)


def written(model, config, dataset, folder, chosen=None):
    """What a SavedModel keeps of the weights, without its graph, which takes seconds."""
    checkpoint = tf.train.Checkpoint(_weights=list(model.variables))
    checkpoint.write(str(folder / "variables/variables"))
    write_warm_start_source(model, chosen, config, dataset, str(folder))
    return str(folder)


def exported(trained, config, dataset, folder):
    serving = serving_model(trained.model, dataset, 10)
    write = functools.partial(
        write_warm_start_source, trained.model, trained.chosen, config, dataset
    )
    export(serving, str(folder), write_more=write)
    return str(folder)


def scores(model, dataset):
    """By (user id, item id)."""
    users = user_tensors(tf.constant(dataset.train.user_index), tf.constant(dataset.train.context))
    users[HISTORY] = tf.fill([len(dataset.train.user_index), 3], -1)
    codes = model.user_embedding(users)
    values = model.score_all(codes, model.item_embedding(tf.range(dataset.catalog.size))).numpy()
    return {
        (user, item): values[row, position]
        for row, user in enumerate(dataset.train.user_id)
        for position, item in enumerate(dataset.catalog.item_ids)
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_every_model_scores_the_ids_that_stay_as_before(name, before, after, tmp_path):
    config = small(name)
    old, new = build(config, before), build(config, after)
    random = np.random.default_rng(1)
    for variable in old.variables:
        if variable.dtype.is_floating:
            # Positive, for some are variances.
            variable.assign(random.uniform(0.1, 1.0, variable.shape))
    base = read_warm_start_source(written(old, config, before, tmp_path / "base"), config)
    warm = WarmStart(base, config, after)
    warm.fit_best_epoch(new)
    expected, found = scores(old, before), scores(new, after)
    stayed = sorted(set(expected) & set(found))
    assert len(stayed) == 76 * 56
    np.testing.assert_allclose(
        [found[pair] for pair in stayed], [expected[pair] for pair in stayed], rtol=1e-5
    )
    rows = warm.report()["rows"]
    assert rows[features.USER_ID] == {"carried": 76, "new": 8, "dropped": 4}
    items = features.CATALOG if name == "ials" else features.ITEM_ID
    assert rows[items] == {"carried": 56, "new": 8, "dropped": 4}
    assert sum(warm.report()["variables"].values()) == len(new.variables)


def test_features_are_carried_by_their_own_tokens(before, after, tmp_path):
    config = small("two_tower with all features")
    base = read_warm_start_source(
        written(build(config, before), config, before, tmp_path / "base"), config
    )
    warm = WarmStart(base, config, after)
    warm.fit_best_epoch(build(config, after))
    report = warm.report()
    assert report["base_model"] == str(tmp_path / "base")
    assert report["rows"][features.GENRES] == {"carried": 4, "new": 1, "dropped": 0}
    assert report["rows"][features.OCCUPATION] == {"carried": 1, "new": 1, "dropped": 0}
    assert report["rows"][features.GENDER] == {"carried": 2, "new": 0, "dropped": 0}
    # "title" and the numbers of the items.
    assert report["rows"][features.TITLE] == {"carried": 57, "new": 8, "dropped": 4}
    # The count of the steps, and the two states of the streaming frequencies.
    assert report["variables"]["initialized"] == 3
    assert report["variables"]["by_row"] == 6


def test_rows_move_to_where_their_ids_are():
    old = np.asarray([[0.0], [1.0], [2.0], [3.0], [9.0]])
    new = np.asarray([[10.0], [11.0], [12.0], [13.0], [14.0]])
    moved = carried(old, Vocabulary(1, (b"a", b"b", b"c")), new, Vocabulary(1, (b"c", b"d", b"a")))
    # Unknown, c, d that keeps its own, a, the bucket.
    assert moved.ravel().tolist() == [0.0, 3.0, 12.0, 1.0, 9.0]
    fewer = carried(old, Vocabulary(1, (b"a", b"b", b"c")), new, Vocabulary(1, (b"b", b"a")))
    # Another number of buckets hashes otherwise: both keep their own.
    assert fewer.ravel().tolist() == [0.0, 2.0, 1.0, 13.0, 14.0]
    assert new[0, 0] == 10.0


def test_ids_may_be_any_bytes(before, tmp_path):
    config = small("mf")
    odd = [b"\xff\x00", "müller".encode(), *before.user_vocabulary[2:]]
    dataset = dataclasses.replace(before, user_vocabulary=odd)
    base = read_warm_start_source(
        written(build(config, before), config, dataset, tmp_path / "b"), config
    )
    assert base.vocabularies[features.USER_ID].entries[:2] == (b"\xff\x00", "müller".encode())


@pytest.fixture(scope="module")
def trained(before, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    # Nothing to start from yet.
    config = small("mf", refit=True)
    first = train(config, planted.EVALUATION, before, str(folder / "run"))
    return first, read_warm_start_source(exported(first, config, before, folder / "model"), config)


def test_a_first_training_starts_cold_and_says_so(trained, before, tmp_path):
    first, _ = trained
    assert first.report["warm_start"]["base_model"] is None
    assert first.report["initial_validation"] is None
    cold = train(
        small("mf").replace(warm_start=False),
        planted.EVALUATION,
        before,
        str(tmp_path),
    )
    assert cold.report["warm_start"] is None
    assert cold.report["history"][-1]["loss"] == first.report["history"][-1]["loss"]


def test_a_warm_start_is_ahead_of_a_cold_one_on_grown_data(trained, after, tmp_path):
    _, base = trained
    config = small("mf", epochs=1, refit=True)
    warm = train(config, planted.EVALUATION, after, str(tmp_path / "warm"), None, base)
    cold = train(config, planted.EVALUATION, after, str(tmp_path / "cold"))
    assert warm.report["initial_validation"]["ndcg"] > cold.report["best_validation"]["ndcg"] + 0.1
    assert warm.report["history"][0]["loss"] < 0.8 * cold.report["history"][0]["loss"]
    # The refitted model is the one that is returned; one epoch from random
    # weights leaves embeddings small.
    embedding = [
        float(np.abs(trained.model.tables()[features.USER_ID][0].numpy()).mean())
        for trained in (warm, cold)
    ]
    assert embedding[0] > 1.5 * embedding[1]


def test_validation_is_not_of_weights_that_have_learned_its_targets(trained, before, tmp_path):
    first, base = trained
    same = train(small("mf", epochs=1), planted.EVALUATION, before, str(tmp_path), None, base)
    # The model before the refit, as it was validated then.
    assert same.report["initial_validation"] == first.report["best_validation"]
    for start, weights in ((base.values, first.model), (base.chosen, first.chosen)):
        for value, weight in zip(start, weights.get_weights(), strict=True):
            np.testing.assert_array_equal(value, weight)


def test_states_of_a_training_from_another_base_are_not_taken(trained):
    from trainer.training.checkpoint import digest

    _, base = trained
    other = dataclasses.replace(base, values=tuple(value + 1 for value in base.values))
    assert len({digest(base), digest(other), digest(None)}) == 3
    assert digest(base) == digest(dataclasses.replace(base))


def test_another_model_or_architecture_is_refused_naming_both(trained, before, after):
    _, base = trained
    wider = small("mf", mf=CONFIGS["mf"].mf.replace(embedding_dim=16))
    with pytest.raises(UserError, match=r"embedding_dim 8 there and 16 here.*without warm_start"):
        WarmStart(base, wider, after).fit_best_epoch(build(wider, after))
    with pytest.raises(UserError, match=r"is mf, this one gmf"):
        read_warm_start_source(base.uri, small("gmf"))


def test_features_that_only_one_catalog_has_are_named(before, tmp_path):
    config = small("two_tower")
    base = read_warm_start_source(
        written(build(config, before), config, before, tmp_path / "b"), config
    )
    plain = dataclasses.replace(
        before, catalog=dataclasses.replace(before.catalog, genres=np.zeros((60, 0), np.float32))
    )
    with pytest.raises(UserError, match=r"variables .*genre_embedding.* there and"):
        WarmStart(base, config, plain).fit_best_epoch(build(config, plain))


def test_an_export_without_ids_is_refused(before, tmp_path):
    config = small("mf")
    path = written(build(config, before), config, before, tmp_path / "b")
    (tmp_path / "b" / DESCRIPTION).unlink()
    with pytest.raises(UserError, match="does not tell the ids"):
        read_warm_start_source(path, config)


@pytest.mark.parametrize("name", CLOSED_FORM)
def test_models_without_a_start_are_refused(name):
    with pytest.raises(UserError, match=f"expected false with the model {name}"):
        planted.CONFIGS[name].replace(warm_start=True)


def test_a_pretrained_start_and_a_warm_one_exclude_each_other():
    pretrained = NeuMFConfig(pretrain=PretrainConfig(gmf_epochs=1, mlp_epochs=1))
    with pytest.raises(UserError, match=r"expected false with neumf\.pretrain"):
        small("neumf", neumf=pretrained)
