"""First values of id tables."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


class KnownRows(tf.keras.initializers.Initializer):
    """Draw normal rows for known ids, zeros for the out-of-vocabulary rows after them.

    No training interaction moves the latter, so what is unknown is placed by
    its other features alone.

    Args:
      known: rows of known ids.
    """

    def __init__(self, known: int) -> None:
        self._known = known
        self._normal = tf.keras.initializers.RandomNormal(stddev=0.05)

    def __call__(self, shape: Any, dtype: Any = None, **options: Any) -> tf.Tensor:
        """Return the rows, of a shape [R, D]."""
        rows = tf.range(shape[0])[:, None]
        drawn = self._normal(shape, dtype, **options)
        return tf.where(rows < self._known, drawn, tf.zeros_like(drawn))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"known": self._known}
