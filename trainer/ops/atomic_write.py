"""Files and folders that appear whole or not at all, on any file system of TensorFlow."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

# The file that makes a folder a SavedModel.
_GRAPH = "saved_model.pb"


@contextlib.contextmanager
def folder(path: str) -> Iterator[str]:
    """A folder that appears when the block ends well.

    On this machine it is renamed. A store behind a URI knows no folders: there
    the files are moved one by one, and a SavedModel's graph, without which none
    is loaded, is the last.

    Args:
      path: of the folder, local or a URI; replaced when it exists.

    Yields:
      The path beside it to write to; removed when the block fails.
    """
    parent, name = os.path.split(path.rstrip("/"))
    unfinished = os.path.join(parent, f".{name}.unfinished-{os.getpid()}")
    try:
        yield unfinished
        if tf.io.gfile.exists(path):
            tf.io.gfile.rmtree(path)
        if "://" in path:
            _move(unfinished, path)
        else:
            tf.io.gfile.rename(unfinished, path)
    finally:
        if tf.io.gfile.exists(unfinished):
            tf.io.gfile.rmtree(unfinished)


def _move(source: str, target: str) -> None:
    """Moves the files below a folder, a SavedModel's graph last."""
    files = [
        os.path.join(inner, name) for inner, _, names in tf.io.gfile.walk(source) for name in names
    ]
    for file in sorted(files, key=lambda file: os.path.basename(file) == _GRAPH):
        place = target.rstrip("/") + file.removeprefix(source)
        tf.io.gfile.makedirs(os.path.dirname(place))
        tf.io.gfile.rename(file, place)


def write(path: str, text: str) -> None:
    """Writes a text file that has the old content until it has all of the new.

    Args:
      path: local or a URI; its folder exists.
      text: the content.
    """
    with tf.io.gfile.GFile(f"{path}.unfinished", "w") as file:
        file.write(text)
    tf.io.gfile.rename(f"{path}.unfinished", path, overwrite=True)
