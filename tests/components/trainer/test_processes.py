"""The Trainer's executor in several processes on this machine, some of which are killed."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.trainer_processes import Job
from trainer.config.evaluation import EvaluationConfig
from trainer.config.neumf import NeuMFConfig
from trainer.config.trainer import TrainerConfig

EVALUATION = EvaluationConfig(k=3)
# Long enough to be killed in.
CONFIG = TrainerConfig(
    epochs=16,
    batch_size=256,
    learning_rate=0.02,
    patience=0,
    neumf=NeuMFConfig(embedding_dim=4, hidden_units=(8, 4), l2_mlp=(0.0, 0.0)),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inputs(upstream_made):
    return upstream_made[1]


@pytest.fixture(scope="module")
def alone(inputs, tmp_path_factory):
    """Losses of a process that trains by itself."""
    with Job(tmp_path_factory.mktemp("alone"), inputs, CONFIG, EVALUATION).start() as job:
        assert job.codes() == [0], job.log()
        return losses(job)


def losses(job):
    return [epoch["loss"] for epoch in job.report["history"]]


def test_two_workers_that_were_killed_go_on_and_train_what_one_process_does(
    inputs, alone, tmp_path
):
    # "auto" reads the strategy off TF_CONFIG.
    config = CONFIG.replace(strategy="auto")
    with Job(tmp_path, inputs, config, EVALUATION, ("chief", "worker")).start() as job:
        job.wait_for(lambda: len((job.state() or {"epochs": []})["epochs"]) >= 3)
        job.kill(1)
        # The chief cannot take another step; a custom job starts all of them anew.
        job.kill(0)
        saved = len(job.state()["epochs"])
        assert 3 <= saved < CONFIG.epochs
        assert not job.model.exists()
        job.start()
        assert job.codes() == [0, 0], job.log()
        report = job.report
        assert report["resumed_epochs"] == saved
        assert (report["strategy"], report["processes"]) == ("multi_worker_mirrored", 2)
        assert (report["replicas"], report["replica_batch_size"]) == (2, 128)
        np.testing.assert_allclose(losses(job), alone, rtol=1e-5)
        assert "recommend" in tf.saved_model.load(str(job.model)).signatures
        # The second worker has written nothing: an event file of each start of
        # the chief, and one checkpoint.
        assert len(list(tmp_path.glob("model_run/logs/events.*"))) == 2
        assert len(list(tmp_path.glob("model_run/checkpoints/*.index"))) == 1


def test_a_chief_with_parameter_servers_goes_on_without_a_worker_that_died(inputs, alone, tmp_path):
    config = CONFIG.replace(strategy="parameter_server")
    kinds = ("chief", "worker", "worker", "ps")
    with Job(tmp_path, inputs, config, EVALUATION, kinds).start() as job:
        job.wait_for(lambda: job.state() is not None)
        job.kill(2)
        job.start(2)
        # Workers and parameter servers end with the chief.
        assert job.codes() == [0] * 4, job.log()
        report = job.report
        assert (report["strategy"], report["processes"]) == ("parameter_server", 4)
        assert (report["epochs"], report["resumed_epochs"]) == (CONFIG.epochs, 0)
        # Steps of two workers that do not wait for each other: about the same loss.
        np.testing.assert_allclose(losses(job), alone, rtol=0.1)
        assert "recommend" in tf.saved_model.load(str(job.model)).signatures
