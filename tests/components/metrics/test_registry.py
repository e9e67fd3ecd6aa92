"""A metric is one file and one name."""

import pathlib
import sys
import types

import numpy as np
import pytest

from components import metrics
from components.evaluator import eval_config
from components.metrics.base import CutOffMetric, RankMetric
from components.metrics.registry import metric_class
from trainer.config.evaluation import METRICS, EvaluationConfig

NAMED = (*METRICS, *eval_config.RATING_METRICS)
# What the metrics are made with.
SHARED = {"base", "bootstrap", "gather", "intervals", "rank_outputs", "registry", "table"}
# No mean over rows.
COUNTS = {"example_count"}


def modules():
    (folder,) = metrics.__path__
    return {path.stem for path in pathlib.Path(folder).glob("*.py")} - {"__init__"}


def test_every_name_has_a_module_and_every_module_of_a_metric_a_name():
    assert modules() - SHARED - COUNTS == set(NAMED)


@pytest.mark.parametrize("name", NAMED)
def test_a_module_holds_the_metric_of_its_name_and_no_other(name):
    found = metric_class(name)
    assert found.__module__ == f"components.metrics.{name}"
    assert issubclass(found, RankMetric)


@pytest.fixture
def toy(monkeypatch):
    """A metric in a file of its own, as far as Python can tell."""

    def per_user(self, tie_groups):
        return np.full(tie_groups.size.shape, 0.5)

    name = "components.metrics.toy"
    module = types.ModuleType(name)
    kind = type("Toy", (CutOffMetric,), {"__module__": name, "per_user": per_user})
    module.Toy = kind
    monkeypatch.setitem(sys.modules, name, module)
    return kind


def test_one_file_and_one_name_make_a_metric(toy):
    evaluation = EvaluationConfig(more_k=(5,))
    # The settings refuse a name that no table has.
    object.__setattr__(evaluation, "metrics", ("hr", "ndcg", "toy"))
    config = eval_config.build_eval_config(evaluation, "digest")
    made = [metric for metric in config.metrics_specs[0].metrics if metric.class_name == "Toy"]
    assert {metric.module for metric in made} == {"components.metrics.toy"}
    names = {metric.config.split('"name": "')[1].split('"')[0] for metric in made}
    assert names == {
        f"{subject}@{k}_{protocol}"
        for subject in ("toy", "popularity_toy", "toy_lift")
        for k in (10, 5)
        for protocol in ("full", "sampled")
    }


def test_a_name_without_a_file_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"components\.metrics\.toy"):
        metric_class("toy")
