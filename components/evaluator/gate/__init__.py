"""The gate between a trained model and the served folder."""
