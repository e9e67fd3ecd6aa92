"""Exports a trained model with the signatures that it is served by."""
