"""Names that the validator, the pipeline and the reports agree on; no TensorFlow import."""

from __future__ import annotations

# Parameter of the component that the stock ExampleValidator lacks.
SETTINGS_KEY = "settings"

# Custom property of the ExampleAnomalies artifact: a sentence, only where something is warned of.
WARNING_PROPERTY = "warning"
