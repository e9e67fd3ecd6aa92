"""Files and folders that appear whole or not at all, on any file system of TensorFlow.

Called by whatever of the trainer writes what others read: exports, judged
models, states of trainings and of searches.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def folder(path: str) -> Iterator[str]:
    """A folder that is renamed into place when the block ends well.

    Args:
      path: of the folder, local or a URI; replaced when it exists.

    Yields:
      The path beside it to write to; removed when the block fails.
    """
    unfinished = f"{path.rstrip('/')}.unfinished-{os.getpid()}"
    try:
        yield unfinished
        if tf.io.gfile.exists(path):
            tf.io.gfile.rmtree(path)
        tf.io.gfile.rename(unfinished, path)
    finally:
        if tf.io.gfile.exists(unfinished):
            tf.io.gfile.rmtree(unfinished)


def write(path: str, text: str) -> None:
    """Writes a text file that has the old content until it has all of the new.

    Args:
      path: local or a URI; its folder exists.
      text: the content.
    """
    with tf.io.gfile.GFile(f"{path}.unfinished", "w") as file:
        file.write(text)
    tf.io.gfile.rename(f"{path}.unfinished", path, overwrite=True)
