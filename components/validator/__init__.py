"""StrictExampleValidator: anomalies in the examples stop the run before training."""
