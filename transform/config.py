"""Settings of the vocabularies that Transform builds.

Read by transform.preprocessing through custom_config; composed in
pipeline.config. No TensorFlow import.
"""

from __future__ import annotations

from schema.settings import PositiveCount, Settings

# Of the settings, in Transform's custom_config.
SETTINGS_KEY = "transform"


class TransformConfig(Settings):
    """Configure the vocabularies."""

    min_user_frequency: PositiveCount = 1
    """Users with fewer training interactions share the out-of-vocabulary buckets."""
    min_item_frequency: PositiveCount = 1
    """The same for items."""
    user_oov_buckets: PositiveCount = 1
    """Buckets that unknown users are hashed into."""
    item_oov_buckets: PositiveCount = 1
    """Buckets that unknown items are hashed into."""
