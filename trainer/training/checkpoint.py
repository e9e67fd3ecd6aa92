"""Checkpoints that a killed training goes on from, with the results of one that was not.

TFX gives each attempt of a component new output folders, so checkpoints lie in
a folder that the runner names, below a digest of all that decides a training's
result.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import zipfile
import zlib
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from schema import atomic_write
from schema.progress import tell
from schema.settings import Settings
from trainer.training.early_stopping import EarlyStopping
from trainer.training.loops.base import Epoch, TrainingLoop

_STATE = "state.json"
# What state.json has of the monitor.
_MONITORED = ("metrics", "initial", "best_epoch", "stopped_by")
# What cut or garbled files make of their readers; a loss of power leaves such files
# where the disk says that it wrote what it did not.
_DAMAGED = (
    # json's and numpy's among them.
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    # TensorFlow's reader of checkpoints has few names for what is wrong.
    tf.errors.OpError,
)


class _State(NamedTuple):
    checkpoint: str
    epochs: list[Epoch]
    monitored: dict[str, Any]


def digest(*parts: Any) -> str:
    """Compute SHA-256 of settings and data.

    Args:
      parts: settings, dataclasses, mappings, sequences, NumPy arrays and scalars.

    Returns:
      32 hexadecimal digits; equal for equal content.
    """
    hashed = hashlib.sha256()
    for part in parts:
        _update(hashed, part)
    return hashed.hexdigest()[:32]


def _update(hashed: Any, part: Any) -> None:
    hashed.update(f"{type(part).__name__}\0".encode())
    if isinstance(part, Settings):
        for name, value in part:
            _update(hashed, name)
            _update(hashed, value)
    elif dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            _update(hashed, field.name)
            _update(hashed, getattr(part, field.name))
    elif isinstance(part, dict):
        for key in sorted(part):
            _update(hashed, key)
            _update(hashed, part[key])
    elif isinstance(part, np.ndarray) and part.dtype != object:
        hashed.update(f"{part.dtype}{part.shape}\0".encode())
        hashed.update(np.ascontiguousarray(part).data)
    elif isinstance(part, list | tuple | np.ndarray):
        hashed.update(f"{len(part)}\0".encode())
        for item in part:
            _update(hashed, item)
    else:
        text = part if isinstance(part, bytes) else repr(part).encode()
        hashed.update(f"{len(text)}\0".encode() + text)


class CheckpointManager:
    """Save and restore the states of one stage: weights, optimizer, best weights, history.

    A state counts once state.json names it, which is renamed into place after
    everything else is written; the state before is removed after that.

    Args:
      folder: of the stage; None keeps nothing.
      every: epochs between two states; 0 keeps nothing.
      loop: in the state to be saved, if it has any.
      monitor: the same; None without validation.
      writes: whether this process saves; others that train with it only
        restore.
      finished: the folder of the same stage in a training that ended; read
        where there is no state of this one.
    """

    def __init__(
        self,
        folder: str | None,
        every: int,
        loop: TrainingLoop,
        monitor: EarlyStopping | None,
        writes: bool = True,
        finished: str | None = None,
    ) -> None:
        self._checkpoint = loop.checkpoint()
        self._folder = folder if every else None
        self._finished = finished
        self._writes = writes
        self._every = every
        self._monitor = monitor

    def save(self, epochs: list[Epoch], last: bool) -> None:
        """Save the state after an epoch, if one is due.

        Args:
          epochs: all that ran.
          last: whether training ends here.
        """
        number = epochs[-1].number
        due = last or number % self._every == 0
        if self._folder is None or self._checkpoint is None or not self._writes or not due:
            return
        name = f"epoch-{number}"
        prefix = os.path.join(self._folder, name)
        tf.io.gfile.makedirs(prefix)
        self._checkpoint.write(os.path.join(prefix, "state"))
        content: dict[str, Any] = {
            "folder": name,
            "epochs": [dataclasses.asdict(epoch) for epoch in epochs],
        }
        if self._monitor is not None:
            _write_arrays(os.path.join(prefix, "best.npz"), self._monitor.best_weights)
            for key in _MONITORED:
                content[key] = getattr(self._monitor, key)
        # Its name is in the folder that state.json's is synced in.
        atomic_write.sync(prefix)
        state = os.path.join(self._folder, _STATE)
        atomic_write.write(state, json.dumps(content))
        for other in tf.io.gfile.listdir(self._folder):
            if other.startswith("epoch-") and other.rstrip("/") != name:
                tf.io.gfile.rmtree(os.path.join(self._folder, other))

    def restore(self) -> list[Epoch]:
        """Put the latest state back.

        Returns:
          The epochs that it has behind it; empty when there is none, or a damaged
          one, of which a line tells.
        """
        if self._checkpoint is None:
            return []
        for folder in (self._folder, self._finished):
            if folder is not None and tf.io.gfile.exists(os.path.join(folder, _STATE)):
                state = self._read_or_warn(folder)
                if state is not None:
                    return self._take(self._checkpoint, state)
        return []

    def _take(self, checkpoint: tf.train.Checkpoint, state: _State) -> list[Epoch]:
        status = checkpoint.read(state.checkpoint)
        status.assert_existing_objects_matched()
        if self._monitor is not None:
            for key, value in state.monitored.items():
                setattr(self._monitor, key, value)
            self._monitor.epochs = list(state.epochs)
            for epoch, metrics in zip(state.epochs, self._monitor.metrics, strict=True):
                self._monitor.log(epoch, metrics)
        return state.epochs

    def _read_or_warn(self, folder: str) -> _State | None:
        # A store that is out of reach is no damage.
        with tf.io.gfile.GFile(os.path.join(folder, _STATE), "rb") as file:
            text = file.read()
        try:
            return self._read(folder, text)
        except _DAMAGED as error:
            if self._writes:
                tell(
                    f"warning: {folder}: what an earlier attempt left is damaged "
                    f"({type(error).__name__}); training starts afresh"
                )
            return None

    def _read(self, folder: str, text: bytes) -> _State:
        """Read all of a state, so that a damaged one is found before a weight is changed."""
        content = json.loads(text)
        prefix = os.path.join(folder, content["folder"])
        checkpoint = os.path.join(prefix, "state")
        reader = tf.train.load_checkpoint(checkpoint)
        for name in reader.get_variable_to_shape_map():
            # Compares the checksum, too.
            reader.get_tensor(name)
        monitored = {}
        if self._monitor is not None:
            monitored = {key: content[key] for key in _MONITORED}
            monitored["best_weights"] = _read_arrays(os.path.join(prefix, "best.npz"))
        epochs = [Epoch(**epoch) for epoch in content["epochs"]]
        return _State(checkpoint, epochs, monitored)


def _write_arrays(path: str, arrays: list[np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(buffer.getvalue())


def _read_arrays(path: str) -> list[np.ndarray]:
    with tf.io.gfile.GFile(path, "rb") as file:
        stored = np.load(io.BytesIO(file.read()))
    return [stored[f"arr_{number}"] for number in range(len(stored.files))]
