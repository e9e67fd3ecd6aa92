"""The Trainer's executor in several processes on this machine."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import upstream
from trainer_processes import Job

from trainer.config import NeuMFConfig, TrainerConfig
from trainer.evaluation_config import EvaluationConfig

EVALUATION = EvaluationConfig(k=3)
CONFIG = TrainerConfig(
    epochs=3,
    batch_size=256,
    learning_rate=0.02,
    patience=0,
    neumf=NeuMFConfig(embedding_dim=4, hidden_units=(8, 4), l2_mlp=(0.0, 0.0)),
)
MULTI_WORKER = dataclasses.replace(CONFIG, strategy="multi_worker_mirrored")
# Long enough to be killed in.
LONG = dataclasses.replace(CONFIG, epochs=60)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return upstream.trainer_inputs(tmp_path_factory.mktemp("upstream"))[1]


def losses(report):
    return [epoch["loss"] for epoch in report["history"]]


@pytest.fixture(scope="module")
def alone(inputs, tmp_path_factory):
    with Job(tmp_path_factory.mktemp("alone"), inputs, LONG, EVALUATION).start() as job:
        assert job.codes() == [0], job.log()
        return job.report


def test_two_workers_train_one_model_as_one_process_would(inputs, alone, tmp_path):
    # "auto" reads the strategy off TF_CONFIG.
    config = dataclasses.replace(CONFIG, strategy="auto")
    with Job(tmp_path, inputs, config, EVALUATION, ("worker", "worker")).start() as job:
        assert job.codes() == [0, 0], job.log()
        report = job.report
        assert (report["strategy"], report["processes"]) == ("multi_worker_mirrored", 2)
        assert (report["replicas"], report["replica_batch_size"]) == (2, 128)
        np.testing.assert_allclose(losses(report), losses(alone)[:3], rtol=1e-5)
        assert "recommend" in tf.saved_model.load(str(job.model)).signatures
        # The second worker has written nothing: one event file, one checkpoint.
        assert len(list(tmp_path.glob("model_run/logs/events.*"))) == 1
        assert len(list(tmp_path.glob("model_run/checkpoints/*.index"))) == 1


def test_a_killed_worker_is_started_again_and_the_training_goes_on(inputs, alone, tmp_path):
    config = dataclasses.replace(LONG, strategy="multi_worker_mirrored")
    with Job(tmp_path, inputs, config, EVALUATION, ("chief", "worker")).start() as job:
        job.wait_for(lambda: (job.state() or {"epochs": []})["epochs"][5:])
        job.kill(1)
        # The chief cannot take another step; a custom job starts all of them anew.
        job.kill(0)
        saved = len(job.state()["epochs"])
        assert saved < 60
        assert not job.model.exists()
        job.start()
        assert job.codes() == [0, 0], job.log()
        report = job.report
        assert report["resumed_epochs"] == saved
        np.testing.assert_allclose(losses(report), losses(alone), rtol=1e-4)


def test_parameter_servers_and_workers_end_with_the_chief(inputs, alone, tmp_path):
    config = dataclasses.replace(CONFIG, strategy="parameter_server")
    kinds = ("chief", "worker", "worker", "ps")
    with Job(tmp_path, inputs, config, EVALUATION, kinds).start() as job:
        assert job.codes() == [0] * 4, job.log()
        report = job.report
        assert (report["strategy"], report["processes"]) == ("parameter_server", 4)
        # Steps of two workers that do not wait for each other: about the same loss.
        np.testing.assert_allclose(losses(report), losses(alone)[:3], rtol=0.05)
        assert "recommend" in tf.saved_model.load(str(job.model)).signatures


def test_the_chief_goes_on_without_a_worker_that_died(inputs, tmp_path):
    config = dataclasses.replace(LONG, strategy="parameter_server")
    kinds = ("chief", "worker", "worker", "ps")
    with Job(tmp_path, inputs, config, EVALUATION, kinds).start() as job:
        job.wait_for(lambda: (job.state() or {"epochs": []})["epochs"][5:])
        job.kill(2)
        job.start(2)
        assert job.codes() == [0] * 4, job.log()
        assert job.report["epochs"] == 60
        assert job.report["resumed_epochs"] == 0


def test_workers_end_when_their_chief_is_gone(inputs, tmp_path):
    config = dataclasses.replace(LONG, strategy="parameter_server")
    with Job(tmp_path, inputs, config, EVALUATION, ("chief", "worker", "ps")).start() as job:
        job.wait_for(lambda: job.state() is not None)
        job.kill(0)
        assert all(code not in (0, None) for code in job.codes())
        assert "ended without a model" in job.log()


def test_one_process_does_not_train_what_several_were_started_for(inputs, tmp_path):
    with Job(tmp_path, inputs, CONFIG, EVALUATION, ("worker", "worker")).start() as job:
        assert all(job.codes())
        expected = "trainer.strategy: expected one process with none, got 2 worker."
        assert expected in job.log()
        assert not job.model.exists()
