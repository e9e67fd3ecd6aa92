"""Replicas on logical CPU devices train what one device does."""

import json
import os
import pathlib
import sys

import numpy as np
import pytest

from tests.support import forks, replicas

ROOT = pathlib.Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def run(devices):
    # Logical devices must be set up before TensorFlow starts, hence the process.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(ROOT / "tests/support/replicas.py"), str(devices)]
    finished = forks.run(command, ROOT, environment)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return json.loads(finished.stdout)


@pytest.fixture(scope="module")
def results():
    return {devices: run(devices) for devices in (2, 4)}


@pytest.mark.parametrize(
    ("devices", "name"),
    [(2, name) for name in replicas.CONFIGS if name != "apart"]
    + [(4, name) for name in replicas.ON_FOUR if name != "apart"],
)
def test_a_fixed_batch_has_the_loss_and_gradients_of_one_device(results, devices, name):
    one, several = (results[devices]["fixed"][name][key] for key in ("none", "mirrored"))
    assert several[0] == pytest.approx(one[0], abs=1e-5)
    np.testing.assert_allclose(several[1], one[1], rtol=1e-3, atol=1e-5)
    assert np.abs(one[1]).max() > 1e-3


def test_the_loop_of_a_tpu_gives_what_one_device_gives(results):
    loss, changes = results[2]["tpu"]
    expected = results[2]["fixed"]["neumf"]["none"]
    assert loss == pytest.approx(expected[0], abs=1e-5)
    np.testing.assert_allclose(changes, expected[1], rtol=1e-3, atol=1e-5)


def test_one_device_is_what_none_is(results):
    loss, changes = results[2]["one_device"]
    expected = results[2]["fixed"]["mf"]["none"]
    assert loss == pytest.approx(expected[0], abs=1e-6)
    np.testing.assert_allclose(changes, expected[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("devices", [2, 4])
def test_without_cross_replica_negatives_each_part_is_a_batch_of_its_own(results, devices):
    found = results[devices]
    parts = found["parts"]
    assert len(parts) == devices
    one, several = (found["fixed"]["apart"][key][0] for key in ("none", "mirrored"))
    assert several == pytest.approx(np.mean(parts), abs=1e-5)
    # Fewer candidates are easier to tell the positive from.
    assert several < one - 0.1


def test_stages_and_a_refit_train_alike(results):
    one, several = (results[2]["trained"][key] for key in ("none", "mirrored"))
    np.testing.assert_allclose(several["losses"], one["losses"], rtol=1e-5)
    assert several["best"] == pytest.approx(one["best"], abs=1e-4)
    assert several["refit_epochs"] == one["refit_epochs"]
    assert (one["replicas"], several["replicas"]) == (1, 2)
    assert several["replica_batch_size"] == one["replica_batch_size"] // 2
