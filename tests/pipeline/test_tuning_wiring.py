"""The pipeline with and without the Tuner."""

import pytest
from tfx.utils import json_utils

from pipeline.config import presets
from pipeline.node_ids import TRAINER, TUNER
from pipeline.pipeline import RunPaths, create_pipeline
from schema import settings

PLACES = RunPaths("data", "ml-100k", "root", "serving", "states")


def nodes(*assignments):
    config = presets.get(presets.DEFAULT)
    for key, value in assignments:
        config = settings.replace_at(config, [(key, value)])
    return {node.id: node for node in create_pipeline("movielens", config, PLACES).components}


def custom_config(node):
    return json_utils.loads(node.exec_properties["custom_config"])


@pytest.fixture(scope="module")
def untuned():
    return nodes()


@pytest.fixture(scope="module")
def tuned():
    return nodes(("tune.trials", "5"))


def test_without_trials_there_is_no_tuner(untuned):
    assert TUNER not in untuned
    assert not {"hyperparameters", "best_run"} & set(untuned[TRAINER].inputs)


def test_with_trials_the_trainer_takes_what_the_tuner_found(untuned, tuned):
    assert set(tuned) == set(untuned) | {TUNER}
    found = tuned[TUNER].outputs["best_hyperparameters"]
    assert tuned[TRAINER].inputs["hyperparameters"] is found
    assert tuned[TRAINER].inputs["best_run"] is tuned[TUNER].outputs["best_run"]
    # Untuned runs keep what they have in the cache.
    assert custom_config(tuned[TRAINER]) == custom_config(untuned[TRAINER])


def test_anomalies_stop_the_run_before_the_tuner(tuned):
    upstream = {node.id for node in tuned[TUNER].upstream_nodes}
    assert {"InteractionsValidator", "CatalogValidator", "Transform"} <= upstream


def test_only_what_decides_the_search_makes_it_run_again(tuned):
    again = nodes(("tune.trials", "5"), ("gate.min_hr", "0.5"))
    assert again[TUNER].exec_properties == tuned[TUNER].exec_properties
    for key, value in (("tune.trials", "8"), ("tune.seed", "1"), ("trainer.epochs", "1")):
        changed = nodes(("tune.trials", "5"), (key, value))
        assert changed[TUNER].exec_properties != tuned[TUNER].exec_properties
    assert len(custom_config(tuned[TUNER])["source_digest"]) == 64
