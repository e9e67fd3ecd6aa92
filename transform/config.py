"""Settings of the vocabularies that Transform builds.

Read by transform.preprocessing through custom_config; composed in
pipeline.config. No TensorFlow import.
"""

from __future__ import annotations

import dataclasses

from schema.settings import check

# Of the settings, in Transform's custom_config.
SETTINGS_KEY = "transform"


@dataclasses.dataclass(frozen=True)
class TransformConfig:
    """Vocabulary settings.

    Attributes:
      min_user_frequency: users with fewer training interactions share the
        out-of-vocabulary buckets.
      min_item_frequency: the same for items.
      user_oov_buckets: buckets that unknown users are hashed into.
      item_oov_buckets: buckets that unknown items are hashed into.
    """

    min_user_frequency: int = 1
    min_item_frequency: int = 1
    user_oov_buckets: int = 1
    item_oov_buckets: int = 1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            check(value >= 1, f"{field.name}: expected at least 1, got {value}.")
