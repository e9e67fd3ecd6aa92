"""Names of files and properties that several packages know a thing by."""

from __future__ import annotations

# Of the digest of a component's sources, among its properties.
DIGEST_KEY = "source_digest"
# Of a run's configuration as JSON, among the properties of the run.
CONFIGURATION_KEY = "configuration"
# The file without which a folder is no SavedModel.
SAVED_MODEL_FILE = "saved_model.pb"
