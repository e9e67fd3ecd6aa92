"""Settings of models, training, tuning and evaluation; no TensorFlow import."""
