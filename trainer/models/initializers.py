"""First values of id tables."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


class KnownRows(tf.keras.initializers.Initializer):
    """Draw rows for known ids, zeros for the out-of-vocabulary rows after them.

    No training interaction moves the latter, so what is unknown is placed by
    its other features alone.

    Args:
      known: rows of known ids.
      initializer: Keras' name of what draws them, with its default arguments; of the
        whole table's shape.
    """

    def __init__(self, known: int, initializer: str = "random_normal") -> None:
        self._known = known
        self._initializer = initializer
        self._draw = tf.keras.initializers.get(initializer)

    def __call__(self, shape: Any, dtype: Any = None, **options: Any) -> tf.Tensor:
        """Return the rows, of a shape [R, D]."""
        rows = tf.range(shape[0])[:, None]
        drawn = self._draw(shape, dtype, **options)
        return tf.where(rows < self._known, drawn, tf.zeros_like(drawn))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"known": self._known, "initializer": self._initializer}
