"""Train, validate and resume a model."""
