"""Which strategy fits which processes, and what it says where it does not."""

import pytest
import tensorflow as tf

from schema.errors import UserError
from tests.support.choices import names_of
from trainer.config.trainer import TrainerConfig
from trainer.distribution import strategy as distribution
from trainer.distribution.cluster_task import ClusterTask
from trainer.distribution.strategy import STRATEGIES, make_distribution, resolve_strategy

ALONE = ClusterTask()
WORKERS = ClusterTask({"worker": ["a:1", "b:1"]}, "worker", 1)
CHIEF = ClusterTask({"chief": ["a:1"], "worker": ["b:1"]}, "chief", 0)
SERVERS = ClusterTask({"chief": ["a:1"], "worker": ["b:1"], "ps": ["c:1"]}, "chief", 0)
NO_WORKERS = ClusterTask({"chief": ["a:1"], "ps": ["c:1"]}, "chief", 0)


def config(strategy, **changes):
    return TrainerConfig(strategy=strategy).replace(**changes)


@pytest.mark.parametrize(
    ("task", "gpus", "expected"),
    [
        (ALONE, 0, "none"),
        (ALONE, 1, "none"),
        (ALONE, 2, "mirrored"),
        (WORKERS, 0, "multi_worker_mirrored"),
        (CHIEF, 4, "multi_worker_mirrored"),
        (SERVERS, 0, "parameter_server"),
    ],
)
def test_auto_takes_what_fits_processes_and_devices(monkeypatch, task, gpus, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * gpus)
    assert resolve_strategy(config("auto"), task).strategy == expected


def test_auto_solves_on_one_device(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * 2)
    assert resolve_strategy(config("auto", model="ease"), ALONE).strategy == "none"
    with pytest.raises(UserError, match="expected none with the model ease"):
        resolve_strategy(config("auto", model="ease"), WORKERS)


@pytest.mark.parametrize(
    ("strategy", "task", "sentence"),
    [
        ("none", WORKERS, "expected one process with none, got 2 worker."),
        ("mirrored", CHIEF, "expected one process with mirrored, got 1 chief, 1 worker."),
        ("multi_worker_mirrored", ALONE, "expected a TF_CONFIG with workers .* got no TF_CONFIG."),
        ("multi_worker_mirrored", SERVERS, "no parameter servers .* got 1 chief, 1 worker, 1 ps."),
        ("parameter_server", CHIEF, "with a chief, workers and parameter servers"),
        ("parameter_server", NO_WORKERS, "got 1 chief, 1 ps."),
    ],
)
def test_a_strategy_for_other_processes_is_one_sentence(strategy, task, sentence):
    with pytest.raises(UserError, match=rf"^trainer.strategy: .*{sentence}"):
        resolve_strategy(config(strategy), task)


@pytest.mark.seconds
def test_a_machine_without_a_tpu_is_told_in_one_sentence():
    with pytest.raises(UserError, match="expected a TPU with tpu, found none that answers"):
        make_distribution(config("tpu"))


def test_a_tpu_is_looked_for_by_name_and_then_in_this_machine(monkeypatch):
    """As far as a machine without one allows: everything up to the strategy itself."""
    asked, begun = [], []

    class Resolver:
        def __init__(self, tpu=None):
            asked.append(tpu)
            if tpu is None:
                raise ValueError("Please provide a TPU Name to connect to.")

    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", Resolver)
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", begun.append)
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", begun.append)
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda resolver: Eight(resolver))
    distribution._strategy.cache_clear()
    place = make_distribution(config("tpu", batch_size=800))
    distribution._strategy.cache_clear()
    assert asked == [None, "local"]
    assert begun == [place.strategy.resolver] * 2
    assert place.figures(800)["replica_batch_size"] == 100


class Eight:
    num_replicas_in_sync = 8

    def __init__(self, resolver):
        self.resolver = resolver


def test_workers_of_parameter_servers_with_several_gpus_are_one_sentence(monkeypatch):
    monkeypatch.setattr(distribution, "_strategy", lambda name: Eight(None))
    with pytest.raises(UserError, match="at most one GPU a worker with parameter_server, got 8"):
        make_distribution(config("parameter_server", batch_size=800))


def test_a_batch_that_replicas_cannot_share_is_one_sentence(monkeypatch):
    monkeypatch.setattr(distribution, "_strategy", lambda name: Eight(None))
    with pytest.raises(UserError, match="expected a multiple of the 8 replicas, got 100"):
        make_distribution(config("mirrored", batch_size=100))


def test_processes_that_found_different_states_do_not_go_on(monkeypatch):
    place = distribution.DistributionContext(tf.distribute.get_strategy())
    place.check_same_start(3)
    monkeypatch.setattr(
        distribution.DistributionContext, "all_mean", lambda self, metrics: {"epochs": 1.5}
    )
    with pytest.raises(UserError, match="different states to go on from, this one epoch 3"):
        place.check_same_start(3)


@pytest.mark.parametrize("strategy", ["parameter_server", "tpu"])
def test_float16_wants_a_strategy_under_which_losses_are_scaled(strategy):
    with pytest.raises(UserError, match="precision: expected float32 or bfloat16"):
        config(strategy, precision="float16")


def test_the_settings_name_the_strategies_that_there_are():
    assert names_of(TrainerConfig, "strategy") == {"auto", *STRATEGIES}
