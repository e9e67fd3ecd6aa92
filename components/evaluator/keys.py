"""Names that the Evaluator's parts, the pipeline and the reports agree on; no TensorFlow import."""

from __future__ import annotations

# Input and parameter of the component that the stock Evaluator lacks.
BLESSING_KEY = "baseline_blessing"
SETTINGS_KEY = "settings"

# Of the component's settings.
EVALUATION_KEY = "evaluation"
GATE_KEY = "gate"
FORCE_KEY = "force_bless"

# The gate's verdict, in the folder of the ModelEvaluation artifact.
GATE_FILE = "gate.json"

# Custom properties of the ModelBlessing artifact.
EVALUATION_PROPERTY = "evaluation"
FORCE_PROPERTY = "force_bless"
