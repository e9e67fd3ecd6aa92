"""TFX components that stock TFX lacks: ingest, validation, training, metrics."""
