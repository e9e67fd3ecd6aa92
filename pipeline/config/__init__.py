"""Settings of a run and of the places that run it; no TensorFlow import."""
