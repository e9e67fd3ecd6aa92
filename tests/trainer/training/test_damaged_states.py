"""A state that the disk lost part of means a fresh start, not an error on every attempt."""

import types

import numpy as np
import pytest
import tensorflow as tf

from trainer.training.checkpoint import CheckpointManager
from trainer.training.loops.base import Epoch
from trainer.tuning.trials import COMPLETE, Journal, Trial

EPOCHS = [Epoch(number, 0.5, 1.0, 10, 2) for number in (1, 2)]


class Loop:
    """Has two variables as its state."""

    def __init__(self, values):
        self.variables = [tf.Variable(np.full(1000, value, np.float32)) for value in values]

    def checkpoint(self):
        return tf.train.Checkpoint(variables=self.variables)

    def values(self):
        return [float(variable[0]) for variable in self.variables]


def monitor():
    return types.SimpleNamespace(
        metrics=[{"ndcg": 0.1}, {"ndcg": 0.2}],
        initial=None,
        best_epoch=2,
        stopped_by=None,
        best_weights=[np.arange(1000.0)],
        epochs=[],
        log=lambda epoch, metrics: None,
    )


@pytest.fixture
def states(tmp_path):
    CheckpointManager(str(tmp_path), 1, Loop([1, 2]), monitor()).save(EPOCHS, last=False)
    return tmp_path


def restored(states):
    loop, own = Loop([3, 4]), monitor()
    own.best_weights = []
    return CheckpointManager(str(states), 1, loop, own).restore(), loop, own


def test_a_whole_state_is_gone_on_from(states):
    epochs, loop, own = restored(states)
    assert (epochs, loop.values(), own.epochs) == (EPOCHS, [1, 2], EPOCHS)
    np.testing.assert_array_equal(own.best_weights[0], np.arange(1000.0))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def zeroed(path):
    """As a file system leaves what it gave room to and did not write."""
    path.write_bytes(bytes(path.stat().st_size))


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, empty, zeroed, flipped, lambda path: path.unlink()])
@pytest.mark.parametrize(
    "name", ["state.json", "state.index", "state.data-00000-of-00001", "best.npz"]
)
def test_a_damaged_state_is_a_fresh_start_with_a_warning(states, name, damage, capsys):
    (found,) = states.rglob(name)
    damage(found)
    gone = name == "state.json" and not found.exists()
    if name == "state.json" and damage is flipped:
        found.write_bytes(found.read_bytes().replace(b"metrics", b"netrics"))
    epochs, loop, own = restored(states)
    assert (epochs, loop.values(), own.best_weights) == ([], [3, 4], [])
    told = capsys.readouterr().err
    assert ("damaged" in told and "training starts afresh" in told) != gone
    assert told.count("\n") == (not gone)
    # The next state takes its place.
    CheckpointManager(str(states), 1, Loop([5, 6]), monitor()).save(EPOCHS, last=False)
    assert restored(states)[1].values() == [5, 6]


def test_a_damaged_state_is_told_by_the_process_that_writes(states, capsys):
    empty(states / "state.json")
    manager = CheckpointManager(str(states), 1, Loop([3, 4]), monitor(), writes=False)
    assert manager.restore() == []
    assert capsys.readouterr().err == ""


def test_a_state_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("schema.atomic_write.sync", synced.append)
    CheckpointManager(str(tmp_path), 1, Loop([1, 2]), monitor()).save(EPOCHS, last=False)
    assert synced[0] == str(tmp_path / "epoch-2")
    assert len(synced) == 2


@pytest.mark.parametrize("text", ["", "[{", '{"a": 1}', '[{"number": 1}]', "[3]"])
def test_a_damaged_journal_of_a_search_is_a_fresh_start_with_a_warning(tmp_path, text, capsys):
    journal = Journal(str(tmp_path))
    journal.write([Trial(1, COMPLETE, {}, 0.5, 1, (0.5,))])
    assert journal.read() == [Trial(1, COMPLETE, {}, 0.5, 1, (0.5,))]
    (tmp_path / "trials.json").write_text(text)
    assert journal.read() == []
    assert "trials.json: what an earlier search left is damaged" in capsys.readouterr().err
